package mongodb

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// awayCodes are the answers of a server that mean "not now": a primary that
// steps down, shuts down or is being elected, a mongos that does not reach a
// shard, and a write that not enough members confirmed in time. Those that the
// driver tries again are among them: it does so once.
var awayCodes = []int{
	6,     // HostUnreachable
	7,     // HostNotFound
	64,    // WriteConcernFailed
	89,    // NetworkTimeout
	91,    // ShutdownInProgress
	133,   // FailedToSatisfyReadPreference
	134,   // ReadConcernMajorityNotAvailableYet
	189,   // PrimarySteppedDown
	262,   // ExceededTimeLimit
	9001,  // SocketException
	10107, // NotWritablePrimary
	11600, // InterruptedAtShutdown
	11602, // InterruptedDueToReplStateChange
	13435, // NotPrimaryNoSecondaryOk
	13436, // NotPrimaryOrSecondary
}

// IsUnavailable reports whether the database did not answer, or not in time:
// a failure that says nothing about the request, which may work later.
func IsUnavailable(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mongo.ErrClientDisconnected) ||
		mongo.IsTimeout(err) || mongo.IsNetworkError(err) {
		return true
	}
	server, ok := errors.AsType[mongo.ServerError](err)
	return ok && (slices.ContainsFunc(awayCodes, server.HasErrorCode) || server.HasErrorLabel("RetryableWriteError"))
}
