//! The transport of the Unix socket: one JSON text per message, each with a line feed behind it.

use std::io;
use std::path::Path;

use jsonrpsee_core::client::{ReceivedMessage, TransportReceiverT, TransportSenderT};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// What ends a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnixError {
    #[error("the service has closed the connection")]
    Closed,
    #[error("the service has closed the connection within an answer")]
    HalfAnswer,
    #[error("an answer is too large, it has more than {0} bytes")]
    TooLarge(u32),
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(crate) struct UnixSender(OwnedWriteHalf);

pub(crate) struct UnixReceiver {
    socket: BufReader<OwnedReadHalf>,
    max_bytes: u32,
}

/// Connects to a socket; an answer may have this many bytes.
pub(crate) async fn connect(path: &Path, max_bytes: u32) -> io::Result<(UnixSender, UnixReceiver)> {
    let (reads, writes) = UnixStream::connect(path).await?.into_split();
    Ok((UnixSender(writes), UnixReceiver { socket: BufReader::new(reads), max_bytes }))
}

impl TransportSenderT for UnixSender {
    type Error = UnixError;

    async fn send(&mut self, mut message: String) -> Result<(), UnixError> {
        message.push('\n');
        Ok(self.0.write_all(message.as_bytes()).await?)
    }

    async fn close(&mut self) -> Result<(), UnixError> {
        Ok(self.0.shutdown().await?)
    }
}

impl TransportReceiverT for UnixReceiver {
    type Error = UnixError;

    async fn receive(&mut self) -> Result<ReceivedMessage, UnixError> {
        let mut line = Vec::new();
        let limit = u64::from(self.max_bytes) + 1;
        (&mut self.socket).take(limit).read_until(b'\n', &mut line).await?;
        if line.pop_if(|last| *last == b'\n').is_some() {
            Ok(ReceivedMessage::Bytes(line))
        } else if line.len() as u64 == limit {
            Err(UnixError::TooLarge(self.max_bytes))
        } else {
            Err(if line.is_empty() { UnixError::Closed } else { UnixError::HalfAnswer })
        }
    }
}
