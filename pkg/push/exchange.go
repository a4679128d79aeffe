package push

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// Answer is what a push service answered.
type Answer struct {
	Status     int
	Body       []byte
	JSON       bool          // the body claims to be JSON, or looks like it
	RetryAfter time.Duration // of the header Retry-After; 0 = none
}

// Exchange makes one HTTP request for an adapter. It returns an answer
// whatever its status, or a *Failure: Unavailable when the request certainly
// did not reach the service, Uncertain when it may have.
func Exchange(client *http.Client, request *http.Request) (*Answer, error) {
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) {
		if info.Err == nil {
			sent.Store(true)
		}
	}}
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), trace))
	response, err := client.Do(request) //nolint:gosec // the address is the operator's
	if err != nil {
		return nil, lost(sent.Load(), request, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, lost(true, request, err)
	}
	trimmed := bytes.TrimSpace(body)
	return &Answer{
		Status: response.StatusCode, Body: body, RetryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now()),
		JSON: len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '['),
	}, nil
}

func lost(sent bool, request *http.Request, err error) *Failure {
	where := request.URL.Host
	if sent {
		return &Failure{Reason: Uncertain, Detail: "no readable answer came from " + where, Err: err}
	}
	reason := Unavailable
	if context.Cause(request.Context()) != nil {
		reason = NotSent
	}
	return &Failure{Reason: reason, Detail: where + " cannot be reached", Err: err}
}

// Failed turns an answer that carries no result of the service into a
// *Failure, by its status alone. detail is the service's own words, if it had
// any.
func (a *Answer) Failed(detail string) *Failure {
	failure := &Failure{Detail: a.describe(detail), RetryAfter: a.RetryAfter}
	switch {
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		failure.Reason = Credentials
	case a.Status == http.StatusTooManyRequests:
		failure.Reason = RateLimited
	case a.Status == http.StatusRequestEntityTooLarge:
		failure.Reason = TooLarge
	case a.Status >= 500:
		failure.Reason = Unavailable
	case a.Status >= 400 && a.JSON:
		failure.Reason = Rejected
	case a.Status >= 300: // a page of somebody in between, who passed nothing on
		failure.Reason = Unavailable
	default:
		failure.Reason = Uncertain // it says that all is well, and not what
	}
	return failure
}

// describe words an answer for people: its status and what the service said,
// or how its unreadable body begins.
func (a *Answer) describe(detail string) string {
	text := fmt.Sprintf("HTTP %d", a.Status)
	if detail != "" {
		return text + ": " + detail
	}
	if a.JSON || len(a.Body) == 0 {
		return text
	}
	return text + " with a body that is not JSON: " + strconv.Quote(Cut(string(a.Body), 80))
}

// Cut shortens text to at most n bytes, without a broken character.
func Cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// retryAfter reads the header: seconds, or a date. 0 = none, or unreadable.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseInt(header, 10, 32); err == nil {
		return max(time.Duration(seconds)*time.Second, 0)
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}
