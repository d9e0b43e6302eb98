//! Containers with some bytes changed: never a panic, never other content that is valid.

use std::sync::LazyLock;

use esoz_signature_cms::CmsVerifier;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::support::{CONTENT, scene};

struct Good {
    verifier: CmsVerifier,
    container: Vec<u8>,
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let scene = scene();
    Good { verifier: scene.verifier(), container: scene.container() }
});

/// Judges bytes that nobody has signed.
fn hold(bytes: &[u8]) {
    let Ok(judged) = GOOD.verifier.judge(bytes) else { return };
    for signer in judged.signers.iter().filter(|signer| signer.verdict == Ok(())) {
        assert_eq!(judged.content, CONTENT);
        assert_eq!(signer.drfo.as_ref().unwrap().expose(), "1234567890");
    }
}

#[test]
fn every_bit_of_a_container_can_be_turned() {
    for place in 0..GOOD.container.len() * 8 {
        let mut bytes = GOOD.container.clone();
        bytes[place / 8] ^= 1 << (place % 8);
        hold(&bytes);
    }
}

fn kept() -> ProptestConfig {
    let regressions = Box::new(FileFailurePersistence::WithSource("regressions"));
    ProptestConfig { failure_persistence: Some(regressions), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn some_bytes_of_a_container_can_be_replaced(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut bytes = GOOD.container.clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        hold(&bytes);
    }

    #[test]
    fn a_piece_of_a_container_can_be_moved_or_left_out(
        from in any::<prop::sample::Index>(), length in 0..200_usize, to in any::<prop::sample::Index>()
    ) {
        let good = &GOOD.container;
        let from = from.index(good.len());
        let piece = &good[from..good.len().min(from + length)];
        let mut rest = [&good[..from], &good[from + piece.len()..]].concat();
        hold(&rest);
        let to = to.index(rest.len() + 1);
        rest.splice(to..to, piece.iter().copied());
        hold(&rest);
    }

    #[test]
    fn any_bytes_can_be_judged(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        hold(&bytes);
    }
}
