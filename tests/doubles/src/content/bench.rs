//! Content of a given size, for measuring.

use super::image::Image;
use super::shelf::Attested;
use super::store::Content;

/// The shape of content for the benchmark.
#[derive(Debug, Clone, Copy)]
pub struct BenchShape {
    /// Repositories.
    pub repositories: usize,
    /// Tags in all, spread evenly.
    pub tags: usize,
    /// Which part of the tags points to a digest that another tag of the repository points to already, from 0 to 1.
    pub shared: f64,
    /// Which part of the distinct digests is an index of two platforms, from 0 to 1.
    pub multi_arch: f64,
}

impl Default for BenchShape {
    /// 100 repositories, 10,000 tags, 30 % of the tags sharing a digest, a quarter multi-arch: a first inventory makes about 29,300
    /// requests (a HEAD per tag, a GET per distinct manifest and config).
    fn default() -> Self {
        Self {
            repositories: 100,
            tags: 10_000,
            shared: 0.3,
            multi_arch: 0.25,
        }
    }
}

impl Content {
    /// Content of this shape: repositories `bench/000` and so on. Fractions are met to within one tag in all.
    #[must_use]
    pub fn bench(shape: BenchShape) -> Self {
        let mut content = Self::new();
        let count = shape.repositories.max(1);
        let (mut shared, mut indexes) = (Share::new(shape.shared), Share::new(shape.multi_arch));
        for number in 0..count {
            let mut shelf = content.shelf(&format!("bench/{number:03}"));
            let tags = shape.tags / count + usize::from(number < shape.tags % count);
            let mut last = None;
            for tag in 0..tags {
                let alias = shared.next() && last.is_some();
                let digest = match &last {
                    Some(digest) if alias => digest,
                    _ => {
                        let image = Image::new(&format!("bench/{number}/{tag}"));
                        last.insert(if indexes.next() {
                            shelf.multi_arch(&image, &["linux/amd64", "linux/arm64"], Attested::No)
                        } else {
                            shelf.image(&image)
                        })
                    }
                };
                shelf.tag(&format!("v{tag:05}"), digest);
            }
        }
        content
    }
}

/// Says "yes" for a given part of its calls, evenly spread.
struct Share {
    part: f64,
    owed: f64,
}

impl Share {
    fn new(part: f64) -> Self {
        Self { part, owed: 0.0 }
    }

    fn next(&mut self) -> bool {
        self.owed += self.part;
        let yes = self.owed >= 1.0 - 1e-9;
        if yes {
            self.owed -= 1.0;
        }
        yes
    }
}
