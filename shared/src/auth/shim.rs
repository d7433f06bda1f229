//! TEMPORARY.
#![allow(missing_docs)]
use super::{Restriction, Role};
use crate::{error::Result, id::{SignInId, TenantId, UserId}};
use std::time::Duration;
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_mins(10);
#[derive(Debug, Clone)]
pub struct Links;
#[derive(Debug, Clone)]
pub struct Tokens;
#[derive(Debug, Clone, Copy)]
pub enum Purpose { VerifyEmail, ResetPassword }
impl Links {
    pub async fn make(&self, _p: Purpose, _u: UserId, _n: u64) -> Result<String> { todo!() }
    pub async fn open(&self, _p: Purpose, _t: &str) -> Result<(UserId, u64)> { todo!() }
}
impl Tokens {
    pub async fn person(&self, _u: UserId, _r: Option<(TenantId, Role)>, _s: SignInId, _x: Option<Restriction>) -> Result<String> { todo!() }
    pub async fn operator(&self, _u: UserId, _s: SignInId, _x: Option<Restriction>) -> Result<String> { todo!() }
    pub async fn verify(&self, _t: &str) -> Result<(UserId, SignInId)> { todo!() }
}
#[derive(Debug, Clone)]
pub struct Seal;
impl Seal {
    pub async fn seal(&self, _c: &str, _b: &[u8]) -> Result<String> { todo!() }
    pub async fn open(&self, _c: &str, _t: &str) -> Result<Vec<u8>> { todo!() }
}
