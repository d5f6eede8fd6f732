//! The exporters, one for each signal.
//!
//! TLS is rustls with ring, as tonic has it; librdkafka keeps its OpenSSL to itself.

use std::path::PathBuf;

use opentelemetry_otlp::tonic_types::transport::{
    Certificate, ClientTlsConfig, Identity as GrpcIdentity,
};
use opentelemetry_otlp::{
    Compression, ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig,
    WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::metrics::Temporality;
use reqwest::blocking::Client;

use super::client::{Cause, Telling, reason};
use super::complaints::Told;
use super::target::{Protocol, Target, Tls};
use super::variables::BadVariable;

pub(super) fn spans(target: &Target) -> Result<Told<SpanExporter>, BadVariable> {
    let cause = Cause::default();
    let builder = SpanExporter::builder();
    let built = match target.protocol {
        Protocol::Grpc => grpc(builder.with_tonic(), target)?.build(),
        Protocol::Http => http(builder.with_http(), target, &cause)?.build(),
    };
    told(built, target, cause)
}

pub(super) fn logs(target: &Target) -> Result<Told<LogExporter>, BadVariable> {
    let cause = Cause::default();
    let builder = LogExporter::builder();
    let built = match target.protocol {
        Protocol::Grpc => grpc(builder.with_tonic(), target)?.build(),
        Protocol::Http => http(builder.with_http(), target, &cause)?.build(),
    };
    told(built, target, cause)
}

pub(super) fn metrics(
    target: &Target,
    temporality: Temporality,
) -> Result<Told<MetricExporter>, BadVariable> {
    let cause = Cause::default();
    let builder = MetricExporter::builder().with_temporality(temporality);
    let built = match target.protocol {
        Protocol::Grpc => grpc(builder.with_tonic(), target)?.build(),
        Protocol::Http => http(builder.with_http(), target, &cause)?.build(),
    };
    told(built, target, cause)
}

fn told<E>(
    built: Result<E, ExporterBuildError>,
    target: &Target,
    cause: Cause,
) -> Result<Told<E>, BadVariable> {
    let exporter = built.map_err(|error| BadVariable {
        name: target.named_by.clone(),
        value: target.shown.clone(),
        valid: error.to_string(),
    })?;
    Ok(Told::new(exporter, target, cause))
}

/// Inside a tokio runtime, which the connection lives in.
fn grpc<B: WithExportConfig + WithTonicConfig>(
    builder: B,
    target: &Target,
) -> Result<B, BadVariable> {
    let mut builder = builder
        .with_endpoint(&target.endpoint)
        .with_timeout(target.timeout);
    if target.gzip {
        builder = builder.with_compression(Compression::Gzip);
    }
    if target.endpoint.starts_with("https://") {
        builder = builder.with_tls_config(grpc_tls(&target.tls)?);
    }
    Ok(builder)
}

fn grpc_tls(tls: &Tls) -> Result<ClientTlsConfig, BadVariable> {
    let mut config = ClientTlsConfig::new();
    config = match &tls.authority {
        Some(file) => config.ca_certificate(Certificate::from_pem(contents(file)?)),
        None => config.with_native_roots(),
    };
    if let Some(identity) = &tls.identity {
        let (certificate, key) = (contents(&identity.certificate)?, contents(&identity.key)?);
        config = config.identity(GrpcIdentity::from_pem(certificate, key));
    }
    Ok(config)
}

fn http<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    target: &Target,
    cause: &Cause,
) -> Result<B, BadVariable> {
    let builder = builder
        .with_endpoint(&target.endpoint)
        .with_timeout(target.timeout)
        .with_http_client(Telling {
            client: client(target)?,
            cause: cause.clone(),
        });
    Ok(if target.gzip {
        builder.with_compression(Compression::Gzip)
    } else {
        builder
    })
}

fn client(target: &Target) -> Result<Client, BadVariable> {
    let mut client = Client::builder().timeout(target.timeout);
    if let Some(file) = &target.tls.authority {
        let certificates = reqwest::Certificate::from_pem_bundle(&contents(file)?)
            .map_err(|e| bad_file(file, &e))?;
        client = client.tls_certs_only(certificates);
    }
    if let Some(identity) = &target.tls.identity {
        let mut pem = contents(&identity.certificate)?;
        pem.push(b'\n');
        pem.extend(contents(&identity.key)?);
        let pem =
            reqwest::Identity::from_pem(&pem).map_err(|e| bad_file(&identity.certificate, &e))?;
        client = client.identity(pem);
    }
    client.build().map_err(|e| BadVariable {
        name: target.named_by.clone(),
        value: target.shown.clone(),
        valid: reason(&e.without_url()),
    })
}

fn contents(file: &(String, PathBuf)) -> Result<Vec<u8>, BadVariable> {
    let (name, path) = file;
    std::fs::read(path).map_err(|e| BadVariable {
        name: name.clone(),
        value: path.display().to_string(),
        valid: format!("{e}; valid is a file in PEM"),
    })
}

fn bad_file(file: &(String, PathBuf), error: &reqwest::Error) -> BadVariable {
    let (name, path) = file;
    BadVariable {
        name: name.clone(),
        value: path.display().to_string(),
        valid: format!("{}; valid is a file in PEM", reason(error)),
    }
}
