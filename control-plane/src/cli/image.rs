//! `portolan image`

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{DigestArgs, Sheet, ShowArgs, bytes, moment, print_one};
use crate::web::api::images::{Facts, Image};

/// What can be done with images.
#[derive(Debug, clap::Subcommand)]
pub enum ImageCommand {
    /// Show an image or any other artifact: platforms, layers, facts, referrers
    #[command(after_help = "\
Examples:
  portolan image show gitlab/acme/shop:1.0
  portolan image show gitlab/acme/shop:1.0 --platform linux/arm64
  portolan image show gitlab/acme/shop:1.0 --raw | sha256sum")]
    Show {
        /// REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@DIGEST; the registry may be HOST[:PORT], or left out if it is clear
        reference: String,
        /// Of an index, the image for this platform: OS/ARCHITECTURE[/VARIANT]
        #[arg(long)]
        platform: Option<String>,
        /// Print the manifest exactly as the registry served it, and nothing else
        #[arg(long, conflicts_with = "output")]
        raw: bool,
        #[command(flatten)]
        digests: DigestArgs,
        #[command(flatten)]
        show: ShowArgs,
    },
}

pub(super) async fn run(desk: Desk<'_>, command: ImageCommand) -> Result<Exit, CliError> {
    let ImageCommand::Show {
        reference,
        platform,
        raw,
        digests,
        show,
    } = command;
    let query = [
        ("reference", Some(reference.as_str())),
        ("platform", platform.as_deref()),
    ];
    if raw {
        let manifest = desk.client.get_raw(&["images", "raw"], &query).await?;
        desk.terminal.out.write_all(&manifest)?;
        desk.terminal.out.flush()?;
        return Ok(Exit::Done);
    }
    let value = desk.client.get(&["images"], &query).await?;
    print_one(desk.terminal, show.output, &value, || {
        let image: Image = desk.client.view(&value)?;
        Ok(sheet(image, digests))
    })?;
    Ok(Exit::Done)
}

fn sheet(image: Image, digests: DigestArgs) -> Sheet {
    let mut sheet = Sheet::new();
    let place = format!("{}/{}", image.registry, image.repository);
    let reference = match &image.tag {
        Some(tag) => format!("{place}:{tag}"),
        None => place,
    };
    // Of a plain image it is the media type of its config, which says nothing more.
    let artifact_type = image
        .artifact_type
        .filter(|_| image.kind.as_deref() != Some("image"));
    sheet
        .add("reference", reference)
        .add("digest", image.digest)
        .add("kind", image.kind)
        .add("media type", image.media_type)
        .add("artifact type", artifact_type);
    if !image.held {
        let why = image.unavailable.unwrap_or_else(|| "not fetched yet".to_owned());
        sheet.add("content", format!("not held: {why}"));
    }
    sheet
        .add(
            "content size",
            (image.content_size > 0).then(|| bytes(image.content_size)),
        )
        .add("pushed", image.pushed_at.map(moment))
        .add("tag since", image.tag_since.map(moment))
        .add("first stored", image.first_seen_at.map(moment))
        .add("refers to", image.subject.map(|subject| subject.digest));
    sheet.add_all(
        "platforms",
        image.platforms.into_iter().map(|shown| {
            let size = shown.content_size.map_or_else(|| "not held".to_owned(), bytes);
            let layers = shown.layers.map_or_else(String::new, |count| {
                if count == 1 {
                    ", 1 layer".to_owned()
                } else {
                    format!(", {count} layers")
                }
            });
            format!(
                "{:<16} {}  {size}{layers}",
                shown.platform,
                digests.digest(&shown.digest)
            )
        }),
    );
    if image.platforms_cut {
        sheet.add("", "and more".to_owned());
    }
    sheet.add(
        "attestations",
        (image.attestations > 0).then(|| format!("{} inside", image.attestations)),
    );
    if let Some(facts) = image.facts {
        add_facts(&mut sheet, facts);
    }
    sheet.add_all(
        "layers",
        image
            .layers
            .into_iter()
            .map(|layer| format!("{:>10}  {}", bytes(layer.size), layer.digest)),
    );
    let annotations = image.annotations.into_iter();
    sheet.add_all(
        "annotations",
        annotations.map(|(name, value)| format!("{name}={value}")),
    );
    sheet.add_all(
        "referrers",
        image
            .referrers
            .into_iter()
            .map(|referrer| format!("{:<20} {}", referrer.kind, referrer.digest)),
    );
    if image.referrers_cut {
        sheet.add("", "and more".to_owned());
    }
    sheet
}

fn add_facts(sheet: &mut Sheet, facts: Facts) {
    sheet
        .add("platform", facts.platform)
        .add("created", facts.created.map(moment))
        .add("author", facts.author)
        .add("user", facts.user.unwrap_or_else(|| "root (not set)".to_owned()))
        .add("entrypoint", facts.entrypoint.join(" "))
        .add("command", facts.command.join(" "))
        .add("working dir", facts.working_dir)
        .add("environment", facts.environment.join(" "))
        .add("ports", facts.ports.join(" "))
        .add("volumes", facts.volumes.join(" "));
    let labels = facts.labels.into_iter();
    sheet.add_all("labels", labels.map(|(name, value)| format!("{name}={value}")));
    if facts.cut {
        sheet.add("note", "some of the config was longer than is kept".to_owned());
    }
}
