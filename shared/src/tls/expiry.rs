//! When a certificate is renewed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::process::Rng;

/// How near a certificate is to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateHealth {
    /// Less than 80 % of its life is over.
    Good,
    /// 80 % or more: renewal has been failing for long.
    Degraded,
    /// 95 % or more.
    Critical,
    /// It has ended.
    Expired,
}

/// The life of one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateLife {
    /// When it was received; its own beginning is backdated.
    pub issued_at: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

impl CertificateLife {
    /// Draws the moment of renewal, between 40 and 60 % of the life, so that a fleet that was enrolled together does not renew together.
    #[must_use]
    pub fn renewal_at(&self, rng: &dyn Rng) -> Timestamp {
        self.at(0.4 + 0.2 * rng.fraction())
    }

    /// How near the end is at `now`.
    #[must_use]
    pub fn health(&self, now: Timestamp) -> CertificateHealth {
        if now >= self.not_after {
            CertificateHealth::Expired
        } else if now >= self.at(0.95) {
            CertificateHealth::Critical
        } else if now >= self.at(0.8) {
            CertificateHealth::Degraded
        } else {
            CertificateHealth::Good
        }
    }

    fn at(&self, share: f64) -> Timestamp {
        let life = self.not_after.duration_since(self.issued_at);
        let life = Duration::try_from(life).unwrap_or(Duration::ZERO).mul_f64(share);
        let offset = SignedDuration::try_from(life).unwrap_or(SignedDuration::ZERO);
        self.issued_at.checked_add(offset).unwrap_or(self.not_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::SeededRng;

    #[test]
    fn renews_in_the_middle_of_its_life() {
        let start = Timestamp::from_second(1_000_000).unwrap();
        let life = CertificateLife {
            issued_at: start,
            not_after: Timestamp::from_second(1_086_400).unwrap(),
        };
        let rng = SeededRng::new(3);
        for _ in 0..1_000 {
            let at = life.renewal_at(&rng).as_second() - start.as_second();
            assert!(
                (34_560..=51_840).contains(&at),
                "{at} s is outside 40 to 60 % of a day"
            );
        }
        let health = |share: f64| life.health(life.at(share));
        assert_eq!(health(0.79), CertificateHealth::Good);
        assert_eq!(health(0.81), CertificateHealth::Degraded);
        assert_eq!(health(0.96), CertificateHealth::Critical);
        assert_eq!(health(1.0), CertificateHealth::Expired);
    }
}
