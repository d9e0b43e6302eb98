//! Streaming of large answers.

use std::convert::Infallible;

use actix_web::body::SizedStream;
use actix_web::web::Bytes;
use futures_util::stream::{self, Stream};

/// The size of a chunk, in bytes.
const CHUNK_BYTES: usize = 16 * 1_024;

/// Streams the content in chunks as its reader takes them. A whole body would be copied for each connection, and a client that asks often
/// and never reads could fill the memory.
pub(crate) fn chunked(content: Bytes) -> SizedStream<impl Stream<Item = Result<Bytes, Infallible>>> {
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let pieces = stream::unfold(content, |mut rest| async move {
        let piece = rest.split_to(rest.len().min(CHUNK_BYTES));
        (!piece.is_empty()).then_some((Ok(piece), rest))
    });
    SizedStream::new(length, Box::pin(pieces))
}

#[cfg(test)]
mod tests {
    use actix_web::body::{BodySize, MessageBody as _, to_bytes};
    use futures_util::future::poll_fn;
    use std::pin::pin;

    use super::*;

    #[actix_web::test]
    async fn the_pieces_are_small_and_together_the_whole() {
        let content: Bytes = (0..=CHUNK_BYTES * 2).map(|at| at.to_be_bytes()[7]).collect();
        assert_eq!(to_bytes(chunked(content.clone())).await.unwrap(), content);

        let mut body = pin!(chunked(content.clone()));
        assert_eq!(body.size(), BodySize::Sized(content.len().try_into().unwrap()));
        let mut sizes = Vec::new();
        while let Some(piece) = poll_fn(|context| body.as_mut().poll_next(context)).await {
            sizes.push(piece.unwrap().len());
        }
        assert_eq!(sizes, [CHUNK_BYTES, CHUNK_BYTES, 1]);
    }
}
