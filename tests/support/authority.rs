//! A private certificate authority, made anew by each test process: no key is in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// An authority, and where its files are.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: PathBuf,
}

/// A certificate with its key, as files in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file, as Kafka wants it.
    pub(crate) both: PathBuf,
}

impl Authority {
    /// Writes its certificate to `dir`.
    pub(crate) fn new(dir: &Path, name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("it signs itself");
        let authority = Self {
            issuer,
            dir: dir.join(name),
        };
        fs::create_dir_all(&authority.dir).expect("the authority's folder can be created");
        fs::write(authority.certificate(), authority.issuer.pem()).expect("it can be written");
        authority
    }

    /// The file with its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// A certificate for `name`, valid for the host names in `hosts`.
    pub(crate) fn issue(&self, name: &str, hosts: &[&str]) -> Issued {
        let mut params = named(name, hosts);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = key();
        let signed = params.signed_by(&key, &self.issuer);
        let (certificate, key) = (
            signed.expect("the authority signs").pem(),
            key.serialize_pem(),
        );
        let file = |what: &str, text: &str| {
            let path = self.dir.join(format!("{name}.{what}.pem"));
            fs::write(&path, text).expect("a PEM file can be written");
            path
        };
        Issued {
            certificate: file("certificate", &certificate),
            key: file("key", &key),
            both: file("both", &format!("{key}{certificate}")),
        }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the system has random numbers")
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("host names are ASCII");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
