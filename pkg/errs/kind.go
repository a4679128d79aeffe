package errs

import "strconv"

// Kind is what sort of failure an Error is, in terms of what the caller can
// do about it.
type Kind uint8

// The kinds of failure.
const (
	// Internal is a fault of ours, and the kind of every error that is not an
	// *Error. Users learn nothing about it.
	Internal Kind = iota
	// KindInvalid is input that cannot be used as it is. (The short name is
	// the constructor's.)
	KindInvalid
	// Unauthenticated means that it is not known who asks.
	Unauthenticated
	// Forbidden means that it is known who asks, and that they may not.
	Forbidden
	// NotFound means that the thing does not exist, or not for this caller.
	NotFound
	// Conflict means that the thing's present state does not allow this.
	Conflict
	// TooLarge means that the input is over a size limit.
	TooLarge
	// Unsupported means that the input is in a form that is not read.
	Unsupported
	// TooMany means that the caller asked too often.
	TooMany
	// Unavailable means that something we need does not answer now; the same
	// request may work later.
	Unavailable
	// Upstream means that a service of somebody else, which the request needs,
	// failed or does not answer.
	Upstream
)

var kindNames = [...]string{
	Internal:        "internal",
	KindInvalid:     "invalid",
	Unauthenticated: "unauthenticated",
	Forbidden:       "forbidden",
	NotFound:        "not_found",
	Conflict:        "conflict",
	TooLarge:        "too_large",
	Unsupported:     "unsupported",
	TooMany:         "too_many",
	Unavailable:     "unavailable",
	Upstream:        "upstream",
}

// String returns the kind as logs and metrics spell it, such as "not_found".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind_" + strconv.Itoa(int(k))
}
