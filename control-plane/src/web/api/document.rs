//! The OpenAPI document: made from [`routes`](super::routes), with what is the same for every operation added here.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder, ServerBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::ErrorBody;
use super::routes::operations;

/// The document as it is served and committed: JSON, indented, with a line end.
#[derive(Debug, Clone, Copy)]
pub struct Document(&'static str);

impl Document {
    /// Its text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// The OpenAPI document of the API.
#[must_use]
pub fn document() -> Document {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let json = build()
            .to_pretty_json()
            .expect("the document is made of strings and maps alone");
        json + "\n"
    });
    Document(&TEXT)
}

fn build() -> OpenApi {
    let mut document = operations().into_openapi();
    for item in document.paths.paths.values_mut() {
        for operation in [
            &mut item.get,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
            &mut item.put,
        ]
        .into_iter()
        .flatten()
        {
            complete(operation);
        }
    }
    let mut components = document.components.take().unwrap_or_default();
    components
        .schemas
        .insert(ErrorBody::name().into_owned(), ErrorBody::schema());
    components.add_security_scheme(
        BEARER,
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("An API token, `ptl_api_…`"))
                .build(),
        ),
    );
    OpenApiBuilder::from(document)
        .info(
            InfoBuilder::new()
                .title("Portolan")
                .version("1")
                .description(Some(
                    "What is in our container registries, since when, seen by whom, and what could not be seen.",
                ))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0")
                        .identifier(Some("Apache-2.0"))
                        .build(),
                ))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url("/api/v1").build()]))
        .components(Some(components))
        .build()
}

const BEARER: &str = "bearer";

/// Every operation takes a token, and answers every error in the same form.
fn complete(operation: &mut Operation) {
    let error = ResponseBuilder::new()
        .description("Any error; `code` tells which")
        .content(
            "application/json",
            Content::new(Some(RefOr::Ref(Ref::from_schema_name(ErrorBody::name())))),
        )
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(error));
    operation.security = Some(vec![SecurityRequirement::new(BEARER, [] as [&str; 0])]);
}
