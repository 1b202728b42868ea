//! What the bench runs against: the demo's borough and a real gateway on loopback, in a folder of
//! its own that goes when it ends. Its P5 boundary is zero, because a boundary measures nothing.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::BenchError;
use super::place::Place;
use crate::domain::peer::Peer;
use crate::edge::http::Settings;
use crate::edge::limits::Rate;
use crate::edge::tls::{ClientTls, Protocol};
use crate::ops::client::bundle::{AUTHORITY, CERTIFICATE, KEY};
use crate::ops::clock;
use crate::ops::demo::borough::Borough;
use crate::ops::demo::prepare;
use crate::ops::serve::{self, Running};

/// The name in the gateway's certificate.
pub const HOST: &str = "localhost";
/// Whose certificate the clients show.
const CALLER: &str = "met";
/// More than any machine does in the longest bench.
const UNLIMITED: Rate = Rate {
    per_minute: 100_000_000,
    burst: 100_000_000,
};
const CONNECTIONS_MAX: u32 = 100_000;

/// A gateway that serves, and a certificate to call it with.
pub struct Town {
    pub running: Running,
    pub address: SocketAddr,
    pub client: ClientTls,
    place: Place,
}

impl Town {
    /// # Errors
    /// [`BenchError`] if a file, a key or the gateway cannot be made.
    pub async fn open(under: &Path) -> Result<Self, BenchError> {
        let place = Place::new(under)?;
        let (mut config, port) = prepare(place.path(), 0).await?;
        config.limits.connections_max = CONNECTIONS_MAX;
        config.limits.connections_per_organisation_max = CONNECTIONS_MAX;
        config.limits.handshakes_max = CONNECTIONS_MAX;
        config.limits.handshakes_per_address_max = CONNECTIONS_MAX;
        let borough = Borough::make(place.path(), &format!("https://{HOST}:{port}"))?;
        let settings = Settings {
            per_user: UNLIMITED,
            per_organisation: UNLIMITED,
            boundary: Duration::ZERO,
        };
        let running = serve::start_with(&config, settings).await?;
        running.app.gateway.found(&borough.founding()?).await?;
        Ok(Self {
            address: running.address,
            client: certificate(place.path(), CALLER)?,
            running,
            place,
        })
    }

    pub fn speaking(mut self, protocol: Protocol) -> Self {
        self.client = self.client.speaking(protocol);
        self
    }

    /// The caller as the gateway verifies her.
    pub async fn peer(&self) -> Result<Peer, BenchError> {
        self.verified(&self.client).await
    }

    /// The same for whoever has the certificate of a bundle.
    pub async fn peer_of(&self, bundle: &str) -> Result<Peer, BenchError> {
        self.verified(&certificate(self.place.path(), bundle)?)
            .await
    }

    /// By a handshake of her own, because there is no other way to a [`Peer`].
    async fn verified(&self, client: &ClientTls) -> Result<Peer, BenchError> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let tcp = TcpStream::connect(listener.local_addr()?).await?;
        let (arrived, _) = listener.accept().await?;
        let (tls, client) = (Arc::clone(&self.running.tls), client.clone());
        let shaking = tokio::spawn(async move { client.connect(tcp, HOST).await });
        let (_, certificate) = tls.accept(arrived).await?;
        let _stream = shaking.await.map_err(|_| BenchError::Broken)??;
        tls.recheck(&certificate, tls.now())
            .map_err(|_| BenchError::Broken)
    }

    /// Stops in order; the folder goes.
    pub async fn close(self) -> Result<(), BenchError> {
        let Self { running, place, .. } = self;
        running.stop().await?;
        drop(place);
        Ok(())
    }
}

fn certificate(dir: &Path, bundle: &str) -> Result<ClientTls, BenchError> {
    let bundle = dir.join("bundles").join(bundle);
    let read = |name: &str| fs::read(bundle.join(name));
    let (authority, chain) = (read(AUTHORITY)?, read(CERTIFICATE)?);
    let key = zeroize::Zeroizing::new(read(KEY)?);
    Ok(ClientTls::new(
        &authority,
        Some((&chain, &key)),
        Arc::new(clock::now),
    )?)
}
