//! Group commit: while one write for a key is under way, whatever else comes for that key waits and then goes out as
//! one write. A lone caller's write goes out at once, unless nobody waits for it and it may gather company first.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::error::{Error, Result};

type Flight<R> = Pin<Box<dyn Future<Output = Vec<Result<R>>> + Send>>;
type Waiting<T, R> = Vec<(T, oneshot::Sender<Result<R>>)>;

/// Collects items per key and hands them to one function, at most `limit` at a time and one flight per key.
pub struct Batcher<K, T, R> {
    /// A key is here exactly as long as a flight for it is under way.
    waiting: Mutex<HashMap<K, Waiting<T, R>>>,
    limit: usize,
    gather: Duration,
    fly: Box<dyn Fn(K, Vec<T>) -> Flight<R> + Send + Sync>,
}

impl<K, T, R> Batcher<K, T, R>
where
    K: Eq + Hash + Copy + Send + Sync + 'static,
    T: Send + 'static,
    R: Send + 'static,
{
    /// A batcher whose flights are made by `fly`, which answers each item in its order.
    pub fn new<F>(limit: usize, fly: impl Fn(K, Vec<T>) -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = Vec<Result<R>>> + Send + 'static,
    {
        Self::gathering(Duration::ZERO, limit, fly)
    }

    /// The same, each flight leaving only `gather` after its first item came.
    pub fn gathering<F>(
        gather: Duration,
        limit: usize,
        fly: impl Fn(K, Vec<T>) -> F + Send + Sync + 'static,
    ) -> Arc<Self>
    where
        F: Future<Output = Vec<Result<R>>> + Send + 'static,
    {
        let fly = move |key, items| Box::pin(fly(key, items)) as Flight<R>;
        Arc::new(Self { waiting: Mutex::default(), limit, gather, fly: Box::new(fly) })
    }

    /// Hands in an item and waits for its own answer. The flight goes on if the caller stops waiting.
    ///
    /// # Errors
    /// Whatever the flight answered.
    pub async fn submit(self: &Arc<Self>, key: K, item: T) -> Result<R> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(key, item, reply);
        answer.await.unwrap_or_else(|_| Err(Error::internal("a batch was dropped")))
    }

    fn enqueue(self: &Arc<Self>, key: K, item: T, reply: oneshot::Sender<Result<R>>) {
        let mut waiting = self.lock();
        if let Some(queue) = waiting.get_mut(&key) {
            queue.push((item, reply));
        } else {
            waiting.insert(key, vec![(item, reply)]);
            tokio::spawn(Arc::clone(self).drain(key));
        }
    }

    async fn drain(self: Arc<Self>, key: K) {
        let mut landing = Landing { batcher: &self, key, landed: false };
        loop {
            if !self.gather.is_zero() {
                tokio::time::sleep(self.gather).await;
            }
            let batch = self.next(key);
            if batch.is_empty() {
                break;
            }
            let (items, replies): (Vec<T>, Vec<_>) = batch.into_iter().unzip();
            for (reply, result) in replies.into_iter().zip((self.fly)(key, items).await) {
                // A caller that no longer waits has nothing to learn.
                let _ = reply.send(result);
            }
        }
        landing.landed = true;
    }

    /// The next batch; with none waiting, the key is free again.
    fn next(&self, key: K) -> Waiting<T, R> {
        let mut waiting = self.lock();
        match waiting.get_mut(&key) {
            Some(queue) if !queue.is_empty() => {
                let rest = queue.split_off(queue.len().min(self.limit));
                std::mem::replace(queue, rest)
            }
            _ => {
                waiting.remove(&key);
                Vec::new()
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, Waiting<T, R>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frees the key if a flight panics, so that those who wait get an error and the next caller starts anew.
struct Landing<'a, K: Eq + Hash + Copy + Send + Sync + 'static, T: Send + 'static, R: Send + 'static> {
    batcher: &'a Batcher<K, T, R>,
    key: K,
    landed: bool,
}

impl<K: Eq + Hash + Copy + Send + Sync + 'static, T: Send + 'static, R: Send + 'static> Drop for Landing<'_, K, T, R> {
    fn drop(&mut self) {
        if !self.landed {
            self.batcher.lock().remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn whatever_comes_during_a_flight_goes_out_as_one_and_each_gets_its_own_answer() {
        let (flights, landing) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Semaphore::new(0)));
        let (counted, may_land) = (Arc::clone(&flights), Arc::clone(&landing));
        let batcher = Batcher::new(100, move |(): (), items: Vec<u32>| {
            counted.fetch_add(1, Ordering::SeqCst);
            let may_land = Arc::clone(&may_land);
            async move {
                drop(may_land.acquire().await);
                items.into_iter().map(|item| Ok(item * 2)).collect()
            }
        });
        let reaches = async |count: &AtomicUsize, least: usize| {
            while count.load(Ordering::SeqCst) < least {
                tokio::task::yield_now().await;
            }
        };
        let coming = AtomicUsize::new(0);
        let all = (0..50).map(async |item| {
            // The first one is on its way when the others come.
            if item > 0 {
                reaches(&flights, 1).await;
            }
            coming.fetch_add(1, Ordering::SeqCst);
            batcher.submit((), item).await.unwrap()
        });
        // It lands when they have come.
        let land = async {
            reaches(&coming, 50).await;
            landing.add_permits(1);
        };
        let (answers, ()) = tokio::join!(futures_util::future::join_all(all), land);
        assert_eq!(answers, (0..50).map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(flights.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_flight_that_panics_fails_those_aboard_and_not_the_next() {
        let batcher = Batcher::new(10, |(): (), items: Vec<bool>| async move {
            assert!(!items[0], "on purpose");
            vec![Ok(()); items.len()]
                .into_iter()
                .map(|r: std::result::Result<(), ()>| r.map_err(|()| unreachable!()))
                .collect()
        });
        assert!(batcher.submit((), true).await.is_err());
        assert!(batcher.submit((), false).await.is_ok());
    }
}
