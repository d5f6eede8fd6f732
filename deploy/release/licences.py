"""Writes the licences of everything that is linked into the binary: `licences.py FILE [TARGET]`.

The texts are those that the crates and the C libraries in them carry; equal texts are printed once.
"""

import sys

import crates as release

NAMES = ("licen", "copying", "notice", "copyright", "unlicense")


def texts(crate):
    """The licence files at the top of a crate, and in its licence folder."""
    for path in sorted(crate.folder.iterdir()) + sorted(crate.folder.glob("[Ll][Ii][Cc][Ee][Nn][SsCc][Ee][Ss]/*")):
        if path.is_file() and path.name.lower().startswith(NAMES) or path.is_file() and path.parent != crate.folder:
            yield path.read_text(encoding="utf-8", errors="replace")


def collect(target):
    """What is linked with its licence, the texts with who carries them, and the crates that carry none."""
    crates, _ = release.load(target)
    linked = [crate for crate in list(crates.values())[1:] if crate.linked]
    rows, carriers, bare = [], {}, []
    for crate in linked:
        if not crate.licence and not crate.package.get("license_file"):
            raise SystemExit(f"deploy/release: {crate.key} names no licence")
        name = f"{crate.name} {crate.version}"
        rows.append((name, crate.licence or "its own, below"))
        found = list(texts(crate))
        for text in found:
            carriers.setdefault(tidy(text), set()).add(name)
        if not found:
            bare.append((name, crate.licence, ", ".join(crate.package["authors"]) or crate.package.get("repository") or ""))
    for library in release.libraries(crates):
        name = f"{library.name} {library.version}"
        rows.append((f"{name} (in {library.crate.name})", library.licence))
        for file in library.files:
            carriers.setdefault(tidy((library.crate.folder / file).read_text(encoding="utf-8", errors="replace")), set()).add(name)
    return rows, carriers, bare


def tidy(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def main():
    path, target = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else release.host()
    rows, carriers, bare = collect(target)
    width = max(len(name) for name, _ in rows)
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"hotprefix for {target} contains:\n\n")
        out.writelines(f"{name:{width}}  {licence}\n" for name, licence in sorted(rows))
        if bare:
            out.write("\nThese carry no text of their own; they are under the licence of that name, by:\n\n")
            out.writelines(f"{name}: {licence}, {by}\n" for name, licence, by in sorted(bare))
        for text, names in sorted(carriers.items(), key=lambda item: sorted(item[1])):
            out.write("\n" + "=" * 100 + "\n" + ", ".join(sorted(names)) + "\n" + "-" * 100 + "\n\n" + text + "\n")


if __name__ == "__main__":
    main()
