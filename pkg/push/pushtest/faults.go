package pushtest

import (
	"fmt"
	"net/http"
	"sync"
)

// Fault is what a stand-in does with one request in place of its duty.
type Fault struct {
	Status      int
	RetryAfter  string // header; "" = none
	ContentType string // "" = application/json
	Body        string
	Cut         bool   // the connection ends without an answer
	CutBody     bool   // it ends in the middle of the answer
	Hang        bool   // no answer comes until the client gives up
	Deliver     bool   // the messages are accepted before the answer is spoilt
	Called      func() // runs when the fault happens
}

// The faults that services document, or show.
var (
	TooManyRequests = Fault{Status: http.StatusTooManyRequests, RetryAfter: "7", Body: `{"errors":[{"code":"TOO_MANY_REQUESTS","message":"slow down"}],"error":{"status":"RESOURCE_EXHAUSTED","message":"slow down","details":[{"errorCode":"QUOTA_EXCEEDED"}]}}`}
	Overloaded      = Fault{Status: http.StatusServiceUnavailable, Body: `{"errors":[{"code":"SERVICE_UNAVAILABLE","message":"try later"}],"error":{"status":"UNAVAILABLE","message":"try later","details":[{"errorCode":"UNAVAILABLE"}]}}`}
	Broken          = Fault{Status: http.StatusInternalServerError, Body: `{"errors":[{"code":"INTERNAL_SERVER_ERROR","message":"oops"}],"error":{"status":"INTERNAL","message":"oops","details":[{"errorCode":"INTERNAL"}]}}`}
	BadGateway      = Fault{Status: http.StatusBadGateway, ContentType: "text/html", Body: "<html><h1>502 Bad Gateway</h1></html>"}
	LoginPage       = Fault{Status: http.StatusOK, ContentType: "text/html", Body: "<html><title>Welcome to the hotel</title></html>"}
	BadCredentials  = Fault{Status: http.StatusForbidden, Body: `{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}],"error":{"status":"PERMISSION_DENIED","message":"who are you"}}`}
	Cut             = Fault{Cut: true, Deliver: true}
	CutAnswer       = Fault{Status: http.StatusOK, CutBody: true, Deliver: true, Body: `{"data":[{"status":"o`}
	Slow            = Fault{Hang: true, Deliver: true}
	Garbage         = Fault{Status: http.StatusOK, Body: `{"surprise":1}`}
)

// faults is a queue of faults, one for each request.
type faults struct {
	mu    sync.Mutex
	queue []Fault
	done  chan struct{}
}

// Fail spoils the next requests, one fault each.
func (f *faults) Fail(next ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, next...)
}

func (f *faults) next() (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return Fault{}, false
	}
	fault := f.queue[0]
	f.queue = f.queue[1:]
	if fault.Called != nil {
		fault.Called()
	}
	return fault, true
}

// Mend forgets the faults that have not happened.
func (f *faults) Mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = nil
}

// apply answers as the fault says.
func (f *faults) apply(fault Fault, w http.ResponseWriter, r *http.Request) {
	switch {
	case fault.Cut:
		panic(http.ErrAbortHandler)
	case fault.Hang:
		select {
		case <-r.Context().Done():
		case <-f.done:
		}
		panic(http.ErrAbortHandler)
	}
	if fault.ContentType == "" {
		fault.ContentType = "application/json"
	}
	w.Header().Set("Content-Type", fault.ContentType)
	if fault.RetryAfter != "" {
		w.Header().Set("Retry-After", fault.RetryAfter)
	}
	if fault.CutBody {
		w.Header().Set("Content-Length", fmt.Sprint(len(fault.Body)+100))
	}
	w.WriteHeader(fault.Status)
	_, _ = w.Write([]byte(fault.Body))
	if fault.CutBody {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// deliveries counts what was accepted, by token.
type deliveries struct {
	mu    sync.Mutex
	count map[string]int
	last  map[string]Delivered
	total int
}

// Delivered is a message as a stand-in read it.
type Delivered struct {
	Title, Body string
	Data        map[string]string
}

func (d *deliveries) accept(token string, m Delivered) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.count == nil {
		d.count, d.last = map[string]int{}, map[string]Delivered{}
	}
	d.count[token]++
	d.last[token] = m
	d.total++
}

// Count returns how often messages for a token were accepted.
func (d *deliveries) Count(token string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count[token]
}

// Last returns the last accepted message for a token.
func (d *deliveries) Last(token string) Delivered {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last[token]
}

// Total returns how many messages were accepted.
func (d *deliveries) Total() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total
}

// Most returns how many messages the token with the most of them got.
func (d *deliveries) Most() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	most := 0
	for _, n := range d.count {
		most = max(most, n)
	}
	return most
}
