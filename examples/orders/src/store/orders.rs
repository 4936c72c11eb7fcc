//! The statements.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Result, Row, types::Type};

use super::{Store, StoreError};
use crate::order::{NewOrder, Order, OrderId, Side, Status, Update};

/// By whom an order is placed, and under which key, if the request may come more than once.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) user: String,
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Placed {
    /// By this request.
    Now(Order),
    /// By an earlier one with the same key.
    Before(Order),
    /// The user has used the key for another order.
    KeyIsTaken,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) orders: Vec<Order>,
    /// After which order the next page begins, if there is one.
    pub(crate) next: Option<OrderId>,
}

const ORDER: &str = "id, symbol, side, status, quantity, price, created_at";
const UPDATE: &str = "id, status, filled_quantity, updated_at, revision";

impl Store {
    /// What an earlier request with the same key has come to, if there was one.
    pub(crate) async fn placed(
        &self,
        sender: &Sender,
        order: &NewOrder,
    ) -> Result<Option<Placed>, StoreError> {
        if sender.idempotency_key.is_none() {
            return Ok(None);
        }
        let (sender, order) = (sender.clone(), order.clone());
        self.readers.read(move |db| placed(db, &sender, &order)).await
    }

    /// Stores an order that was paid for, unless an earlier request with the same key has done so.
    pub(crate) async fn place(
        &self,
        sender: Sender,
        order: NewOrder,
        payment: String,
    ) -> Result<Placed, StoreError> {
        self.writer.write(move |db| place(db, &sender, &order, &payment)).await
    }

    pub(crate) async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let sql = format!("SELECT {ORDER} FROM orders WHERE id = ?1");
        self.readers
            .read(move |db| db.prepare_cached(&sql)?.query_row([id.0], order).optional())
            .await
    }

    /// At most `limit` orders, the oldest first, from behind `after` on.
    pub(crate) async fn page(
        &self,
        after: Option<OrderId>,
        limit: u32,
    ) -> Result<Page, StoreError> {
        let sql = format!("SELECT {ORDER} FROM orders WHERE id > ?1 ORDER BY id LIMIT ?2");
        let after = after.map_or(0, |id| id.0);
        // One more than asked for tells whether there is a next page.
        let query = move |db: &Connection| {
            let mut select = db.prepare_cached(&sql)?;
            select.query_map((after, limit + 1), order)?.collect::<Result<Vec<Order>>>()
        };
        let mut orders = self.readers.read(query).await?;
        let limit = limit as usize;
        let has_more = orders.len() > limit;
        orders.truncate(limit);
        let next = orders.last().map(|order| order.id).filter(|_| has_more);
        Ok(Page { orders, next })
    }

    /// How an order stands.
    pub(crate) async fn state(&self, id: OrderId) -> Result<Option<Update>, StoreError> {
        let sql = format!("SELECT {UPDATE} FROM orders WHERE id = ?1");
        self.readers
            .read(move |db| db.prepare_cached(&sql)?.query_row([id.0], update).optional())
            .await
    }

    /// The revision of the last change to any order.
    pub(crate) async fn revision(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(revision), 0) FROM orders";
        self.readers.read(move |db| db.query_row(sql, [], |row| row.get(0))).await
    }

    /// What has changed since, at most `limit` orders, in the order of the changes. Of several changes to one order, the last.
    pub(crate) async fn changes(&self, since: i64, limit: u32) -> Result<Vec<Update>, StoreError> {
        let sql =
            format!("SELECT {UPDATE} FROM orders WHERE revision > ?1 ORDER BY revision LIMIT ?2");
        let query = move |db: &Connection| {
            let mut select = db.prepare_cached(&sql)?;
            select.query_map((since, limit), update)?.collect()
        };
        self.readers.read(query).await
    }

    /// Fills what was accepted longer ago than this, and says which orders that were.
    pub(crate) async fn fill(&self, age: Duration) -> Result<Vec<OrderId>, StoreError> {
        // A look first: a write is a turn on the one thread, and a lock on the file for all processes.
        if self.accepted(age).await? == 0 {
            return Ok(Vec::new());
        }
        let sql = format!(
            "UPDATE orders SET status = 'filled', filled_quantity = quantity WHERE {AGED} RETURNING id"
        );
        let fill = move |db: &Connection| {
            let mut update = db.prepare_cached(&sql)?;
            update.query_map([modifier(age)], |row| row.get(0).map(OrderId))?.collect()
        };
        self.writer.write(fill).await
    }

    /// How many orders were accepted longer ago than this, and are not filled.
    pub(crate) async fn accepted(&self, age: Duration) -> Result<u32, StoreError> {
        let sql = format!("SELECT count(*) FROM orders WHERE {AGED}");
        let modifier = modifier(age);
        self.readers
            .read(move |db| db.prepare_cached(&sql)?.query_row([modifier], |row| row.get(0)))
            .await
    }
}

const AGED: &str =
    "status = 'accepted' AND created_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?1)";

/// What SQLite adds to a time to go back this far.
fn modifier(age: Duration) -> String {
    format!("-{:.3} seconds", age.as_secs_f64())
}

fn placed(db: &Connection, sender: &Sender, new: &NewOrder) -> Result<Option<Placed>> {
    let Some(key) = &sender.idempotency_key else { return Ok(None) };
    let sql = format!("SELECT {ORDER} FROM orders WHERE user = ?1 AND idempotency_key = ?2");
    let earlier = db.prepare_cached(&sql)?.query_row((&sender.user, key), order).optional()?;
    Ok(earlier.map(|earlier| {
        let is_same = (&*earlier.symbol, earlier.side, earlier.quantity, earlier.price)
            == (&*new.symbol, new.side, new.quantity, new.price);
        if is_same { Placed::Before(earlier) } else { Placed::KeyIsTaken }
    }))
}

fn place(db: &Connection, sender: &Sender, new: &NewOrder, payment: &str) -> Result<Placed> {
    if let Some(placed) = placed(db, sender, new)? {
        return Ok(placed);
    }
    let sql = format!(
        "INSERT INTO orders (user, idempotency_key, symbol, side, quantity, price, payment)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING {ORDER}"
    );
    let values = (
        &sender.user,
        &sender.idempotency_key,
        &new.symbol,
        new.side.name(),
        new.quantity,
        new.price,
        payment,
    );
    db.prepare_cached(&sql)?.query_row(values, order).map(Placed::Now)
}

fn order(row: &Row<'_>) -> Result<Order> {
    Ok(Order {
        id: OrderId(row.get(0)?),
        symbol: row.get(1)?,
        side: named(row, 2, Side::parse)?,
        status: named(row, 3, Status::parse)?,
        quantity: row.get(4)?,
        price: row.get(5)?,
        created_at: row.get(6)?,
    })
}

fn update(row: &Row<'_>) -> Result<Update> {
    Ok(Update {
        order_id: OrderId(row.get(0)?),
        status: named(row, 1, Status::parse)?,
        filled_quantity: row.get(2)?,
        updated_at: row.get(3)?,
        revision: row.get(4)?,
    })
}

/// A value that is kept by its name. Another program may have written one that this one does not know.
fn named<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> Result<T> {
    let name = row.get_ref(column)?.as_str()?;
    parse(name).ok_or_else(|| {
        let unknown = format!("{name:?} is unknown here");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, unknown.into())
    })
}
