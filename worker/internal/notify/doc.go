// Package notify tells users something once: a notification in the app, and a
// push message to their phone. The jobs that notify decide who is told what;
// everything around it is here, the same for each of them.
//
// For one page of recipients, in this order: the ledger claims the recipients'
// keys; the notifications are stored, under ids that follow from the keys; the
// push messages leave; the ledger is settled; dead tokens are removed; the
// tickets of what Expo took are kept for the job "read push receipts".
//
// # After a crash
//
// A notification in the app is stored exactly once: storing it again finds its
// id taken. A push message leaves at most once: recipients that were claimed
// and not settled are counted as uncertain and not pushed again. What
// certainly was not pushed is given back, and the next attempt pushes it.
package notify
