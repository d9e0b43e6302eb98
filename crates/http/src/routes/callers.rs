//! Who calls: authentication with the guards around it.

use std::future::Future;

use actix_web::HttpRequest;
use esoz_auth::{ApiKeyHolder, AuthError, Principal};

use super::{Call, refused};
use crate::error::ApiError;
use crate::extract::credentials;
use crate::{Api, UseCase};

impl Call {
    /// Which software calls, as its api key proves it. Its budget is not touched: it works for many clients, and one of them must not
    /// spend for the others.
    pub(super) async fn api_key_holder(
        &self,
        request: &HttpRequest,
        api: &Api,
    ) -> Result<ApiKeyHolder, ApiError> {
        let presented = credentials::api_key(request);
        let checking = api.authentication.api_key(presented);
        self.proved(request, api, UseCase::AuthenticateApiKey, checking).await
    }

    /// Who calls, as the access token proves it. Takes one request from the budget of the client.
    pub(super) async fn principal(&self, request: &HttpRequest, api: &Api) -> Result<Principal, ApiError> {
        let presented = credentials::bearer_token(request);
        let checking = api.authentication.token(presented);
        let principal = self.proved(request, api, UseCase::AuthenticateToken, checking).await?;
        if let Some(remaining) = api.admission.check_rate(principal.client_id)? {
            // Nobody spends twice for one request, so there is nothing there yet.
            let _ = self.context.budget.set(remaining);
        }
        Ok(principal)
    }

    /// An address that has failed too often may not even try.
    async fn proved<T>(
        &self,
        request: &HttpRequest,
        api: &Api,
        use_case: UseCase,
        checking: impl Future<Output = Result<T, AuthError>>,
    ) -> Result<T, ApiError> {
        let from = request.peer_addr().map(|address| address.ip());
        api.admission.check_failures(from)?;
        let outcome = api.tell(use_case, checking.await);
        if matches!(outcome, Err(AuthError::InvalidToken | AuthError::InvalidApiKey)) {
            api.admission.record_failure(from);
        }
        outcome.map_err(refused)
    }
}
