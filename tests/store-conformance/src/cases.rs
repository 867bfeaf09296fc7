//! What a suite makes of its cases, and the suite of those that take two handles on one database.

/// Makes a `#[tokio::test]` of each of these cases.
#[doc(hidden)]
#[macro_export]
macro_rules! cases {
    (@two $stores:expr; $($noun:ident { $($case:ident,)* })*) => {
        $(mod $noun {
            #[allow(unused_imports, reason = "the expression may name things of the caller or not")]
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let (one, other, keep) = $stores.await;
                    $crate::$noun::$case(&one, &other).await;
                    drop(keep);
                }
            )*
        })*
    };
    (@one $store:expr; $($noun:ident { $($case:ident,)* })*) => {
        $(mod $noun {
            #[allow(unused_imports, reason = "the expression may name things of the caller or not")]
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let (store, keep) = $store.await;
                    $crate::$noun::$case(&store).await;
                    drop(keep);
                }
            )*
        })*
    };
}

/// Makes a `#[tokio::test]` of every case that takes two handles on one database, as two control planes have. The argument is a future of both and of
/// something to keep alive with them.
#[macro_export]
macro_rules! suite_of_two {
    ($stores:expr) => {
        $crate::cases! { @two $stores;
            event {
                two_takers,
            }
            schedule {
                two_schedulers,
            }
            webhook_delivery {
                several_holders,
            }
        }
    };
}
