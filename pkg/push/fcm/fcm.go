package fcm

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/etrainer/backend/pkg/push"
)

// concurrency is how many messages are on their way at once. Google's servers
// take a hundred streams on one HTTP/2 connection.
const concurrency = 100

// maxToken is more than any token has, and less than what hurts.
const maxToken = 4096

// Options are what a Provider needs to know.
type Options struct {
	Account
	BaseURL   string  // "" = Google's
	PerSecond float64 // messages a second, over everything; 0 = no limit
	// Transport makes the requests; nil = a transport of its own, with HTTP/2.
	Transport http.RoundTripper
}

// Provider implements push.Provider.
type Provider struct {
	url       string
	perSecond float64
	client    *http.Client
	tokens    *tokens
}

var _ push.Provider = (*Provider)(nil)

// New returns a Provider. It makes no connection.
func New(options Options) *Provider {
	transport := options.Transport
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = 8
		transport = own
	}
	base := options.BaseURL
	if base == "" {
		base = defaultBaseURL
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Provider{
		url:       strings.TrimRight(base, "/") + "/v1/projects/" + options.ProjectID + "/messages:send",
		perSecond: options.PerSecond, client: client, tokens: newTokens(options.Account, transport),
	}
}

// Name implements push.Provider.
func (*Provider) Name() string { return push.FCM }

// Limits implements push.Provider.
func (p *Provider) Limits() push.Limits {
	return push.Limits{Batch: 1, Concurrency: concurrency, PerSecond: p.perSecond}
}

// Valid implements push.Provider: printable ASCII without spaces. Firebase
// documents no form.
func (*Provider) Valid(token string) bool {
	if token == "" || len(token) > maxToken {
		return false
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return true
}

// message is the body of a request, as the Node backend wrote it.
type message struct {
	Message struct {
		Token        string            `json:"token"`
		Notification notification      `json:"notification"`
		Data         map[string]string `json:"data,omitempty"`
		Android      json.RawMessage   `json:"android"`
		APNs         json.RawMessage   `json:"apns"`
	} `json:"message"`
}

type notification struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

var (
	android = json.RawMessage(`{"notification":{"sound":"default","notification_priority":"PRIORITY_HIGH"}}`)
	apns    = json.RawMessage(`{"payload":{"aps":{"sound":"default","badge":1}}}`)
)

// Send implements push.Provider; a batch is one message. A token that Google
// no longer takes is replaced once.
func (p *Provider) Send(ctx context.Context, batch []push.Message) ([]push.Result, error) {
	results := make([]push.Result, 0, len(batch))
	for _, m := range batch {
		result, err := p.sendOne(ctx, m)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

func (p *Provider) sendOne(ctx context.Context, m push.Message) (push.Result, error) {
	var body message
	body.Message.Token, body.Message.Data = m.Token, m.Data
	body.Message.Notification = notification{Title: m.Title, Body: m.Body}
	body.Message.Android, body.Message.APNs = android, apns
	text, err := json.Marshal(body)
	if err != nil {
		return push.Result{}, &push.Failure{Reason: push.Rejected, Detail: "the message cannot be written as JSON", Err: err}
	}
	for again := false; ; again = true {
		bearer, err := p.tokens.get(ctx)
		if err != nil {
			return push.Result{}, err
		}
		answer, err := p.post(ctx, text, bearer)
		if err != nil {
			return push.Result{}, err
		}
		if answer.Status == http.StatusUnauthorized && !again && isStale(answer) {
			p.tokens.drop(bearer)
			continue
		}
		return read(answer, m.Token)
	}
}

func (p *Provider) post(ctx context.Context, text []byte, bearer string) (*push.Answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(text))
	if err != nil {
		return nil, &push.Failure{Reason: push.Rejected, Detail: "the request cannot be written", Err: err}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+bearer)
	return push.Exchange(p.client, request)
}
