// Package push sends notifications to phones. It has the vocabulary, the port
// to a push service, and what every service needs around it.
//
//	Courier     one notification for one person: FCM, else Expo
//	Sender      one provider: batches, concurrency, rate, retries, breaker
//	Provider    the port: one exchange with one service
//	expo, fcm, logpush    adapters
//
// # What is retried
//
// Only what certainly was not sent: a refused connection, 429, 5xx. Pauses
// grow and are jittered; Retry-After is honoured, for every message of the
// provider and not only for the refused one. When a message has left and no
// readable answer came (a cut, a timeout, a page of HTML with status 200), the
// result is Uncertain, and it is not sent again: a reminder that comes twice is
// worse than one that is missing.
//
// A batch that is refused because of one message is halved until the bad one
// stands alone, so that one bad row costs nobody else's notification.
//
// Failures in a row (5xx, refused credentials, cuts) open the provider's
// circuit breaker. While it is open, messages come back at once as Unavailable
// or Credentials, and one exchange every half minute tries whether the
// provider is back.
package push
