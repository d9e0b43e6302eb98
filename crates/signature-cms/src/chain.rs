//! Chains of certificates from a signer to a configured authority (RFC 5280, section 6).

use esoz_kernel::Timestamp;

use crate::certificate::Cert;
use crate::reason;
use crate::revocation::RevocationLists;

/// Certificates between a signer and an authority.
const MAX_INTERMEDIATES: usize = 5;

/// Signatures that are verified in the search for the chains of one container: certificates that all have the same name must not make it long.
pub(crate) const MAX_ATTEMPTS: u32 = 200;

/// What a signer's certificate is held against.
pub(crate) struct Trust<'a> {
    pub(crate) authorities: &'a [Cert],
    /// Certificates of the container, which nobody vouches for.
    pub(crate) intermediates: &'a [Cert],
    /// The time of validity.
    pub(crate) at: Timestamp,
    /// The time at which revocation lists must be current.
    pub(crate) now: Timestamp,
    pub(crate) revocation: &'a RevocationLists,
}

impl Trust<'_> {
    /// Judges a certificate: whether any chain leads from it to an authority and is valid. Every signature that is verified counts as an attempt of
    /// those that are left.
    ///
    /// # Errors
    /// The fault of the first chain that leads to an authority; [`reason::UNKNOWN_AUTHORITY`] when none does.
    pub(crate) fn judge(&self, signer: &Cert, attempts: &mut u32) -> Result<(), &'static str> {
        self.extend(&mut vec![signer], attempts)
    }

    /// Looks for the issuers of the last certificate of the chain: first among the authorities.
    fn extend<'c>(&'c self, chain: &mut Vec<&'c Cert>, attempts: &mut u32) -> Result<(), &'static str> {
        let mut outcome = reason::UNKNOWN_AUTHORITY;
        let Some(&last) = chain.last() else { return Err(outcome) };
        let mut fault = |found| {
            if outcome == reason::UNKNOWN_AUTHORITY {
                outcome = found;
            }
        };
        let authorities = self.authorities.iter().map(|authority| (authority, true));
        let can_grow = chain.len() <= MAX_INTERMEDIATES;
        let intermediates = self.intermediates.iter().filter(|_| can_grow).map(|cert| (cert, false));
        for (issuer, is_authority) in authorities.chain(intermediates) {
            let is_used = || chain.iter().any(|used| used.certificate == issuer.certificate);
            if issuer.subject != last.issuer || (!is_authority && is_used()) {
                continue;
            }
            *attempts = attempts.checked_sub(1).ok_or(reason::TOO_COMPLEX)?;
            match last.require_signed_by(issuer) {
                Ok(()) => {}
                // Another key of the same name.
                Err(reason::ALTERED) => continue,
                Err(other) => {
                    fault(other);
                    continue;
                }
            }
            chain.push(issuer);
            let judged = if is_authority { self.check(chain) } else { self.extend(chain, attempts) };
            chain.pop();
            match judged {
                Ok(()) => return Ok(()),
                Err(reason::TOO_COMPLEX) => return judged,
                Err(other) => fault(other),
            }
        }
        Err(outcome)
    }

    /// Checks a whole chain, which begins with the signer and ends with an authority; each is signed by the next.
    fn check(&self, chain: &[&Cert]) -> Result<(), &'static str> {
        let mut intermediates = 0;
        for (position, cert) in chain.iter().enumerate() {
            cert.require_valid(self.at)?;
            if position > 0 {
                cert.require_authority(intermediates)?;
                intermediates += usize::from(!cert.is_self_issued());
            }
        }
        let pairs = chain.iter().zip(chain.iter().skip(1));
        pairs.into_iter().try_for_each(|(cert, issuer)| self.revocation.require_good(cert, issuer, self.now))
    }
}
