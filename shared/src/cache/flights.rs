//! Identical questions that come at once: the first asks the model, the others wait for what it will have kept.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use super::CacheKey;
use crate::id::TenantId;

/// The questions that are being asked in this process.
#[derive(Debug, Clone, Default)]
pub struct Flights(Arc<Mutex<HashMap<Flight, watch::Receiver<()>>>>);

type Flight = (TenantId, CacheKey);

/// Where a question finds itself.
#[derive(Debug)]
pub enum Seat {
    /// It is the first, and asks.
    Lead(Lead),
    /// It waits until the receiver's sender is gone.
    Follow(watch::Receiver<()>),
}

/// The one that asks. Dropping it lets the others look.
#[derive(Debug)]
pub struct Lead {
    flights: Flights,
    flight: Flight,
    /// Gone with this value, which is what followers wait for.
    _sender: watch::Sender<()>,
}

impl Flights {
    /// Joins the question if it is being asked, else begins it.
    #[must_use]
    pub fn join(&self, tenant: TenantId, key: &CacheKey) -> Seat {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match flights.entry((tenant, key.clone())) {
            Entry::Occupied(flight) => Seat::Follow(flight.get().clone()),
            Entry::Vacant(place) => {
                let flight = place.key().clone();
                let (sender, receiver) = watch::channel(());
                place.insert(receiver);
                Seat::Lead(Lead { flights: self.clone(), flight, _sender: sender })
            }
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[tokio::test]
    async fn followers_wait_until_the_first_is_done() {
        let (flights, tenant, key) = (Flights::default(), TenantId::new(Timestamp(1)), CacheKey("k".to_owned()));
        let Seat::Lead(lead) = flights.join(tenant, &key) else { panic!("the first leads") };
        let Seat::Follow(mut end) = flights.join(tenant, &key) else { panic!("the second follows") };
        let waiting = tokio::spawn(async move { end.changed().await.is_err() });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(lead);
        assert!(waiting.await.unwrap());
        assert!(matches!(flights.join(tenant, &key), Seat::Lead(_)));
    }

    #[test]
    fn another_tenants_question_is_another_one() {
        let (flights, key) = (Flights::default(), CacheKey("k".to_owned()));
        let _first = flights.join(TenantId::new(Timestamp(1)), &key);
        assert!(matches!(flights.join(TenantId::new(Timestamp(2)), &key), Seat::Lead(_)));
    }
}
