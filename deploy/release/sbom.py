"""Writes the software bill of materials, CycloneDX 1.6 as JSON: `sbom.py FILE [TARGET]`.

Every crate of Cargo.lock is in it: with scope `required` if it is linked into the binary, `excluded` if it is only for
building, for tests or for another target. So are the C libraries that crates bring, under the names by which
vulnerabilities are published. The same commit gives the same bytes.
"""

import datetime
import sys
import uuid

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

import crates as release

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/hotprefix/hotprefix")


def licences(expression):
    return [LicenseFactory().make_from_string(expression)] if expression else []


def crate_component(crate):
    component = Component(
        type=ComponentType.LIBRARY,
        name=crate.name,
        version=crate.version,
        bom_ref=crate.key,
        purl=PackageURL("cargo", None, crate.name, crate.version),
        scope=ComponentScope.REQUIRED if crate.linked else ComponentScope.EXCLUDED,
        description=(crate.package.get("description") or "").strip() or None,
        licenses=licences(crate.licence),
    )
    if crate.sha256:
        component.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=crate.sha256))
    if crate.package.get("repository"):
        component.external_references.add(ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(crate.package["repository"])))
    return component


def library_component(library):
    return Component(
        type=ComponentType.LIBRARY,
        name=library.name,
        version=library.version,
        bom_ref=library.purl,
        purl=PackageURL.from_string(library.purl),
        cpe=library.cpe,
        scope=ComponentScope.REQUIRED,
        licenses=licences(library.licence),
    )


def bill(target):
    crates, edges = release.load(target)
    components = {key: crate_component(crate) for key, crate in crates.items()}
    ours = next(iter(components.values()))
    ours.type = ComponentType.APPLICATION
    bom = Bom()
    bom.metadata.component = ours
    bom.metadata.timestamp = datetime.datetime.fromtimestamp(release.epoch(), datetime.UTC)
    bom.components.update(component for component in components.values() if component is not ours)
    libraries = release.libraries(crates)
    for library in libraries:
        component = library_component(library)
        bom.components.add(component)
        bom.register_dependency(components[library.crate.key], [component])
    for key, needs in edges.items():
        bom.register_dependency(components[key], [components[need] for need in needs])
    contents = "".join(f"{c.key} {c.sha256} {c.linked}\n" for c in crates.values())
    bom.serial_number = uuid.uuid5(NAMESPACE, f"{target} {release.epoch()} {contents}")
    return bom


def main():
    path, target = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else release.host()
    text = JsonV1Dot6(bill(target)).output_as_string(indent=1)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise SystemExit(f"{path}: not valid CycloneDX 1.6: {wrong}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
