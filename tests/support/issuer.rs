//! An issuer of tokens: the token endpoint of `OpenID` Connect, and the key set with which Kafka checks what it signed.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Who may read tokens of this issuer.
pub(crate) const AUDIENCE: &str = "kafka";
/// Who it says it is.
pub(crate) const NAME: &str = "https://issuer.test";
/// It gives tokens that are signed with a key that nobody knows to this client.
pub(crate) const FORGED: &str = "forged";
/// It gives tokens that are over to this client.
pub(crate) const EXPIRED: &str = "expired";
const KEY_ID: &str = "1";

/// A running issuer, with a runtime of its own.
pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    /// The file with its public key.
    pub(crate) keys: PathBuf,
    _runtime: Runtime,
}

struct Shared {
    key: KeyPair,
    other: KeyPair,
    secret: String,
}

impl Issuer {
    /// Gives a token to each client that knows `secret`; its name becomes the subject.
    pub(crate) fn start(dir: &Path, secret: &str) -> Self {
        let new = || KeyPair::generate_for(&PKCS_ED25519).expect("the system has random numbers");
        let (key, other) = (new(), new());
        let x = URL_SAFE_NO_PAD.encode(key.der_bytes());
        let public = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KEY_ID, "x": x});
        let keys = dir.join("jwks.json");
        fs::write(&keys, json!({"keys": [public]}).to_string()).expect("it can be written");
        let shared = Shared {
            key,
            other,
            secret: secret.to_owned(),
        };
        let router = Router::new()
            .route("/token", post(token))
            .with_state(Arc::new(shared));
        let runtime = Runtime::new().expect("a runtime starts");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a loopback port is free");
        let address = listener.local_addr().expect("it listens");
        runtime.spawn(async { axum::serve(listener, router).await });
        Self {
            address,
            keys,
            _runtime: runtime,
        }
    }

    /// Where clients ask.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/token", self.address)
    }
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> (StatusCode, String) {
    let client = headers.get("authorization").and_then(|value| {
        let encoded = value.to_str().ok()?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (client, secret) = text.split_once(':')?;
        (secret == shared.secret).then(|| client.to_owned())
    });
    let Some(client) = client else {
        let refused = json!({"error": "invalid_client", "error_description": "unknown client"});
        return (StatusCode::UNAUTHORIZED, refused.to_string());
    };
    let life = if client == EXPIRED { -60 } else { 300 };
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": NAME, "sub": client, "aud": AUDIENCE, "iat": now - 120, "exp": now + life,
    });
    let key = if client == FORGED {
        &shared.other
    } else {
        &shared.key
    };
    let token = signed(key, &claims);
    let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": life});
    (StatusCode::OK, answer.to_string())
}

/// A JSON Web Token.
fn signed(key: &KeyPair, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": KEY_ID});
    let text = format!("{}.{}", part(&header), part(claims));
    let signature = key.sign(text.as_bytes()).expect("it signs");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
