//! A very large registry that is cheap to hold and to serve: few images, and tags by the million that point to them.

use portolan_shared::model::Digest;

use super::image::Image;
use super::store::Content;

/// The shape of a very large registry: one repository that is larger than most registries, and a long tail.
#[derive(Debug, Clone, Copy)]
pub struct MillionShape {
    /// Tags in all.
    pub tags: usize,
    /// Of these, tags of the largest repository.
    pub largest: usize,
    /// Repositories besides the largest; their sizes fall as the reciprocal of their rank.
    pub tail: usize,
    /// Images that the tags share.
    pub images: usize,
}

impl Default for MillionShape {
    /// 1,000,000 tags, 100,000 of them in one repository, the rest in 2,000 more; 10,000 images.
    fn default() -> Self {
        Self {
            tags: 1_000_000,
            largest: 100_000,
            tail: 2_000,
            images: 10_000,
        }
    }
}

impl MillionShape {
    /// How many tags each repository has, the largest first. Together exactly [`MillionShape::tags`].
    fn sizes(self) -> Vec<usize> {
        /// Flattens the head of the tail, so that no other repository comes near the largest.
        const OFFSET: usize = 9;
        let largest = self.largest.min(self.tags);
        let mut left = self.tags - largest;
        let mut sizes = vec![largest];
        let weight = |rank: usize| 1.0 / (rank + OFFSET) as f64;
        let mut weights: f64 = (1..=self.tail).map(weight).sum();
        for rank in 1..=self.tail {
            // What is left by weight, so that roundings even out and the last one gets the rest.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "counts of tags are small and positive"
            )]
            let share = (left as f64 * weight(rank) / weights).round() as usize;
            let size = if rank == self.tail { left } else { share.min(left) };
            weights -= weight(rank);
            left -= size;
            sizes.push(size);
        }
        // Rounding may have put two neighbours in the wrong order.
        sizes[1..].sort_unstable_by(|one, other| other.cmp(one));
        sizes
    }
}

impl Content {
    /// A registry of this shape: repositories `mill/p000/r0` and so on, ten below each `mill/p000`; tags `build-0000000` and so on.
    #[must_use]
    pub fn million(shape: MillionShape) -> Self {
        let mut content = Self::new();
        let images = shape.images.max(1);
        let mut next = 0;
        for (number, size) in shape.sizes().into_iter().enumerate() {
            let mut shelf = content.shelf(&format!("mill/p{:03}/r{}", number / 10, number % 10));
            // As many images of its own as its size entitles it to, each under many tags.
            let own = (size * images).div_ceil(shape.tags.max(1)).max(1).min(size);
            let digests: Vec<Digest> = (0..own)
                .map(|image| shelf.image(&Image::new(&format!("mill/{}", next + image)).layers(1)))
                .collect();
            next += own;
            for tag in 0..size {
                shelf.tag(&format!("build-{tag:07}"), &digests[tag % own]);
            }
        }
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_exactly_the_tags_that_were_asked_for_and_a_long_tail() {
        let shape = MillionShape::default();
        let sizes = shape.sizes();
        assert_eq!(sizes.len(), 2_001);
        assert_eq!(sizes.iter().sum::<usize>(), 1_000_000);
        assert_eq!(sizes[0], 100_000);
        assert!(sizes[1] < 20_000 && sizes[1_999] > 20);
        assert!(sizes[1..2_000].is_sorted_by(|a, b| a >= b));

        let small = MillionShape {
            tags: 1_000,
            largest: 400,
            tail: 30,
            images: 10,
        };
        let content = Content::million(small);
        assert_eq!(content.tag_count(), 1_000);
        assert_eq!(content.repository("mill/p000/r0").unwrap().tags().len(), 400);
        assert!(content.manifests().len() < 50, "{}", content.manifests().len());
        let none = MillionShape { tags: 0, ..small };
        assert_eq!(Content::million(none).tag_count(), 0);
    }
}
