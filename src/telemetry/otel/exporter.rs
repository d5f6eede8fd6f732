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

use super::target::{Protocol, Target, Tls};
use super::variables::BadVariable;

pub(super) fn spans(target: &Target) -> Result<SpanExporter, BadVariable> {
    let builder = SpanExporter::builder();
    let built = match target.protocol {
        Protocol::Grpc => grpc(builder.with_tonic(), target)?.build(),
        Protocol::Http => http(builder.with_http(), target)?.build(),
    };
    built.map_err(|e| refused(target, &e))
}

pub(super) fn logs(target: &Target) -> Result<LogExporter, BadVariable> {
    let builder = LogExporter::builder();
    let built = match target.protocol {
        Protocol::Grpc => grpc(builder.with_tonic(), target)?.build(),
        Protocol::Http => http(builder.with_http(), target)?.build(),
    };
    built.map_err(|e| refused(target, &e))
}

pub(super) fn metrics(
    target: &Target,
    temporality: Temporality,
) -> Result<MetricExporter, BadVariable> {
    let builder = MetricExporter::builder().with_temporality(temporality);
    let built = match target.protocol {
        Protocol::Grpc => grpc(builder.with_tonic(), target)?.build(),
        Protocol::Http => http(builder.with_http(), target)?.build(),
    };
    built.map_err(|e| refused(target, &e))
}

fn refused(target: &Target, error: &ExporterBuildError) -> BadVariable {
    BadVariable {
        name: target.named_by.clone(),
        value: target.endpoint.clone(),
        valid: error.to_string(),
    }
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
) -> Result<B, BadVariable> {
    let builder = builder
        .with_endpoint(&target.endpoint)
        .with_timeout(target.timeout)
        .with_http_client(client(target)?);
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
        value: target.endpoint.clone(),
        valid: reason(&e),
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

/// An error with what is behind it.
fn reason(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
