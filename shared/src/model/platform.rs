//! What an image runs on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Operating system and processor of an image, normalised as containerd does it (`aarch64` is `arm64`, arm without variant is `v7`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Such as `linux`.
    pub os: String,
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `v8`, where the architecture alone does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The build number that Windows images are told apart by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
}

impl Platform {
    /// A platform from its parts; `None` for the `unknown/unknown` that marks BuildKit attestations, and for empty parts.
    #[must_use]
    pub fn new(
        os: &str,
        architecture: &str,
        variant: Option<&str>,
        os_version: Option<&str>,
    ) -> Option<Self> {
        let (os, architecture) = (os.to_ascii_lowercase(), architecture.to_ascii_lowercase());
        if os.is_empty() || architecture.is_empty() || os == "unknown" || architecture == "unknown" {
            return None;
        }
        let variant = variant.map(str::to_ascii_lowercase).filter(|v| !v.is_empty());
        let (architecture, variant) = match (architecture.as_str(), variant.as_deref()) {
            ("x86_64" | "x86-64", _) => ("amd64".to_owned(), variant),
            ("aarch64" | "arm64", None | Some("v8" | "8")) => ("arm64".to_owned(), None),
            ("armhf", _) => ("arm".to_owned(), Some("v7".to_owned())),
            ("armel", _) => ("arm".to_owned(), Some("v6".to_owned())),
            ("arm", None) => (architecture, Some("v7".to_owned())),
            _ => (architecture, variant),
        };
        let os_version = os_version.filter(|v| !v.is_empty()).map(str::to_owned);
        Some(Self {
            os,
            architecture,
            variant,
            os_version,
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(f, "/{variant}")?;
        }
        if let Some(version) = &self.os_version {
            write!(f, " ({version})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_and_never_counts_unknown() {
        let show = |os: &str, arch: &str, variant: Option<&str>| {
            Platform::new(os, arch, variant, None).map(|platform| platform.to_string())
        };
        assert_eq!(
            show("Linux", "aarch64", Some("v8")).as_deref(),
            Some("linux/arm64")
        );
        assert_eq!(show("linux", "arm", None).as_deref(), Some("linux/arm/v7"));
        assert_eq!(show("linux", "armel", None).as_deref(), Some("linux/arm/v6"));
        assert_eq!(show("linux", "x86_64", None).as_deref(), Some("linux/amd64"));
        assert_eq!(show("unknown", "unknown", None), None);
        assert_eq!(show("", "amd64", None), None);
    }
}
