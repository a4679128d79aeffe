// Package gate stands in front of the embedded FerretDB and makes each of its
// write commands atomic.
//
// FerretDB v1 executes an update as "read the matching documents, then write
// them" without a transaction, so two concurrent findAndModify or update
// commands can both succeed on one document. A queue that leases jobs by
// such commands would lease a job twice. The gate is a small TCP proxy that
// speaks the MongoDB wire protocol and holds one lock for each database: a
// command that writes waits until the one before it has been answered, and a
// command that only reads passes freely (it sees committed documents, and an
// update over many documents is not isolated from readers in MongoDB either).
//
//	driver ──▶ gate ──▶ FerretDB ──▶ one SQLite file for each database
//
// The lock belongs to the command and not to the client: a client that goes
// away in the middle of a command does not free the lock before the server
// has answered. Only uncompressed OP_MSG and the OP_QUERY greeting of drivers
// are let through; anything else closes the connection, because the gate could
// not tell whether it writes.
//
// This is for development and tests. It is no part of a production system.
package gate
