//! Remembering the scheme and key of pseudonyms: [`PseudonymFingerprints`](esoz_device_dispense::PseudonymFingerprints).

use std::sync::Arc;

use esoz_device_dispense::PseudonymFingerprint;
use esoz_kernel::StoreErrorKind;

use super::FingerprintsUnderTest;
use super::race::all_at_once;

const ONE: PseudonymFingerprint = PseudonymFingerprint::new([1; 32]);
const OTHER: PseudonymFingerprint = PseudonymFingerprint::new([0xff; 32]);

/// And looking records nothing.
pub async fn nothing_is_recorded_at_first(under_test: FingerprintsUnderTest) {
    for _ in 0..2 {
        assert_eq!(under_test.fingerprints.recorded().await.unwrap(), None);
    }
}

/// Whoever comes later gets the first.
pub async fn the_first_fingerprint_stays(under_test: FingerprintsUnderTest) {
    let fingerprints = under_test.fingerprints;
    for later in [ONE, ONE, OTHER] {
        assert_eq!(fingerprints.record_first(later).await.unwrap(), ONE);
        assert_eq!(fingerprints.recorded().await.unwrap(), Some(ONE));
    }
}

/// Each with its own fingerprint: all get the one that is recorded.
pub async fn of_concurrent_first_fingerprints_one_is_recorded(under_test: FingerprintsUnderTest) {
    let calls = (0..16).map(|number| {
        let fingerprints = Arc::clone(&under_test.fingerprints);
        async move { fingerprints.record_first(PseudonymFingerprint::new([number; 32])).await.unwrap() }
    });
    let answers = all_at_once(calls).await;
    let recorded = under_test.fingerprints.recorded().await.unwrap().unwrap();
    assert!(answers.iter().all(|answer| *answer == recorded));
}

/// The one that is there, or none.
pub async fn a_fingerprint_takes_the_place_of_another(under_test: FingerprintsUnderTest) {
    for fingerprint in [ONE, OTHER] {
        under_test.fingerprints.replace(fingerprint).await.unwrap();
        assert_eq!(under_test.fingerprints.recorded().await.unwrap(), Some(fingerprint));
    }
    assert_eq!(under_test.fingerprints.record_first(ONE).await.unwrap(), OTHER);
}

/// It is an error, not an absence: else it would be replaced by whatever key comes next. An operator can replace it.
pub async fn what_cannot_be_read_is_corrupt(under_test: FingerprintsUnderTest) {
    let fingerprints = under_test.fingerprints;
    fingerprints.replace(ONE).await.unwrap();
    under_test.raw.make_unreadable().await;
    for refused in [fingerprints.recorded().await.map(drop), fingerprints.record_first(ONE).await.map(drop)] {
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Corrupt);
    }
    fingerprints.replace(OTHER).await.unwrap();
    assert_eq!(fingerprints.recorded().await.unwrap(), Some(OTHER));
}
