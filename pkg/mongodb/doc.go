// Package mongodb connects to MongoDB: it chooses the server, waits until it
// answers, finds out what it can do, and tells how the connection is doing.
//
// # The choice
//
// MONGODB_ATLAS_URI counts first, else an Atlas address built from user,
// password, cluster and database, else MONGODB_URI. Where Atlas is
// configured, MONGODB_URI is used only as a fallback, only when
// MONGODB_FALLBACK is "allow", only at the start and never silently: two
// queues at once are split brain. Commands that do one thing and end never use
// it. What was chosen is in [Client.Target].
//
// # What it can do
//
// MongoDB 6 and later on replica sets, sharded clusters and Atlas can do
// everything. A standalone server has no transactions and no change streams.
// The embedded development engine (FerretDB on SQLite) has less; see
// [Capabilities]. It is found out at run time, so one build fits all.
//
// # The promises
//
// Every write is acknowledged by a majority of the replica set, in its
// journal, and every read goes to the primary, whatever the address says.
package mongodb
