package push

// Message is one notification for one device.
type Message struct {
	Token string // the device's, as its provider gave it out
	Title string
	Body  string
	Data  map[string]string // for the app; FCM takes text values only
}

// Result is what became of one Message. The zero value is: accepted.
type Result struct {
	ID     string // the provider's name for an accepted message; Expo's can be asked for a receipt
	Reason Reason // why it was not accepted; "" = it was
	Detail string // the provider's words, without tokens
}

// Accepted reports whether the provider took the message.
func (r Result) Accepted() bool { return r.Reason == "" }

// Reason tells in one word why a message was not sent. Job results count by
// it, so the words are part of the contract with operators.
type Reason string

// The reasons.
const (
	// Unregistered: the app is gone from the device, so the token is dead.
	// (FCM: UNREGISTERED; Expo: DeviceNotRegistered.)
	Unregistered Reason = "unregistered"
	// InvalidToken: the text is no token of this provider.
	InvalidToken Reason = "invalid_token"
	// WrongSender: the token belongs to another project.
	WrongSender Reason = "wrong_sender"
	// TooLarge: the message is over the provider's size limit.
	TooLarge Reason = "too_large"
	// Rejected: the provider refuses the message as it is.
	Rejected Reason = "rejected"
	// Credentials: the provider does not accept who we say we are.
	Credentials Reason = "credentials"
	// RateLimited: too many messages; the provider did not take this one.
	RateLimited Reason = "rate_limited"
	// Unavailable: the provider did not answer, or answered that it cannot.
	Unavailable Reason = "unavailable"
	// NotSent: the caller's context ended before it was this message's turn.
	NotSent Reason = "not_sent"
	// Uncertain: the message left, and no readable answer came. It may have
	// been delivered, so it is never sent again by itself.
	Uncertain Reason = "uncertain"
	// NoDevice: there is no token to send to.
	NoDevice Reason = "no_device"
	// NotConfigured: there is a token, and no provider for it here.
	NotConfigured Reason = "not_configured"
)

// Temporary reports whether the message certainly was not sent, and may be
// when it is tried again later.
func (r Reason) Temporary() bool {
	switch r {
	case Credentials, RateLimited, Unavailable, NotSent:
		return true
	default:
		return false
	}
}
