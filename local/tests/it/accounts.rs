//! People: signing up, in and out, and what is theirs.

mod login;
mod me;
mod passwords;
mod refresh;
mod register;
mod requests;
mod second_factor;
mod secrecy;
mod verify;
