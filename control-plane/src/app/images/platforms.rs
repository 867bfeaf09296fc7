//! The platforms of an index.

use portolan_shared::model::Platform;
use portolan_shared::model::manifest::Manifest;

use super::PlatformShown;
use crate::app::{App, AppError, Caller};

/// Platforms of one index that are shown with what is behind them; the rest is only counted. The largest official images have about 20.
pub(super) const PLATFORMS: usize = 100;

impl App {
    /// The platforms of an index, and whether there are more than are shown.
    pub(super) async fn platforms_of(
        &self,
        caller: &Caller,
        index: Option<&Manifest>,
    ) -> Result<(Vec<PlatformShown>, bool), AppError> {
        let children: Vec<_> = index
            .iter()
            .flat_map(|index| &index.children)
            .filter_map(|child| Some((child.platform.clone()?, &child.descriptor)))
            .collect();
        let mut shown = Vec::with_capacity(children.len().min(PLATFORMS));
        for (platform, descriptor) in children.iter().take(PLATFORMS) {
            let (_, manifest) = self.held(caller, &descriptor.digest).await?;
            let facts = self.facts_of(caller, manifest.as_ref()).await?;
            shown.push(PlatformShown {
                platform: platform.clone(),
                digest: descriptor.digest.clone(),
                manifest,
                facts,
            });
        }
        Ok((shown, children.len() > PLATFORMS))
    }
}

/// Reads `OS/ARCHITECTURE[/VARIANT]`.
pub(super) fn read_platform(text: &str) -> Result<Platform, AppError> {
    let mut parts = text.splitn(3, '/');
    let (os, architecture, variant) = (parts.next(), parts.next(), parts.next());
    Platform::new(
        os.unwrap_or_default(),
        architecture.unwrap_or_default(),
        variant,
        None,
    )
    .ok_or_else(|| {
        AppError::invalid(
            "platform",
            "expected OS/ARCHITECTURE[/VARIANT], such as linux/arm64",
        )
    })
}

/// Whether a platform is the wanted one; a variant or build number that was not asked for does not matter.
pub(super) fn answers(has: &Platform, wanted: &Platform) -> bool {
    has.os == wanted.os
        && has.architecture == wanted.architecture
        && (wanted.variant.is_none() || has.variant == wanted.variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_platforms_and_matches_what_was_asked_for() {
        let has = Platform::new("linux", "arm", Some("v7"), None).unwrap();
        assert!(answers(&has, &read_platform("linux/arm/v7").unwrap()));
        assert!(!answers(&has, &read_platform("linux/arm/v6").unwrap()));
        assert!(!answers(&has, &read_platform("linux/arm64").unwrap()));
        let windows = Platform::new("windows", "amd64", None, Some("10.0.1")).unwrap();
        assert!(answers(&windows, &read_platform("windows/x86_64").unwrap()));
        for bad in ["", "linux", "linux/", "/amd64", "unknown/unknown"] {
            assert!(read_platform(bad).is_err(), "{bad:?}");
        }
    }
}
