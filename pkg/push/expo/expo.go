package expo

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/etrainer/backend/pkg/push"
)

// What Expo takes.
const (
	batchSize    = 100  // messages in one request
	receiptBatch = 300  // ids in one request for receipts
	concurrency  = 6    // requests at once, as in Expo's SDK
	gzipOver     = 1024 // bytes
)

// Options are what a Provider needs to know.
type Options struct {
	Env
	// Transport makes the requests; nil = a transport of its own, with HTTP/2.
	Transport http.RoundTripper
}

// Provider implements push.Provider and push.ReceiptReader.
type Provider struct {
	env    Env
	base   string
	client *http.Client
}

var (
	_ push.Provider      = (*Provider)(nil)
	_ push.ReceiptReader = (*Provider)(nil)
)

// New returns a Provider. It makes no connection.
func New(options Options) *Provider {
	transport := options.Transport
	if transport == nil {
		transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	base := options.BaseURL
	if base == "" {
		base = "https://exp.host"
	}
	return &Provider{
		env: options.Env, base: strings.TrimRight(base, "/") + "/--/api/v2/push/",
		client: &http.Client{Transport: transport, CheckRedirect: noRedirect},
	}
}

// noRedirect keeps tokens from being sent to wherever somebody points.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Name implements push.Provider.
func (*Provider) Name() string { return push.Expo }

// Limits implements push.Provider.
func (p *Provider) Limits() push.Limits {
	return push.Limits{Batch: batchSize, Concurrency: concurrency, PerSecond: p.env.PerSecond}
}

// token is what Expo's SDK takes for one.
var token = regexp.MustCompile(`^(?:(?:ExponentPushToken|ExpoPushToken)\[[^\[\]\s]+\]|(?i:[a-f\d]{8}-[a-f\d]{4}-[a-f\d]{4}-[a-f\d]{4}-[a-f\d]{12}))$`)

// Valid implements push.Provider.
func (*Provider) Valid(text string) bool { return token.MatchString(text) }

// message is one message as Expo reads it.
type message struct {
	To    string            `json:"to"`
	Title string            `json:"title,omitempty"`
	Body  string            `json:"body,omitempty"`
	Data  map[string]string `json:"data,omitempty"`
}

// ticket is what Expo says of one message, at once or in a receipt.
type ticket struct {
	Status  string `json:"status"`
	ID      string `json:"id"`
	Message string `json:"message"`
	Details struct {
		Error string `json:"error"`
	} `json:"details"`
}

// reasons are Expo's error codes. (ExpoError and ProviderError: their fault.)
var reasons = map[string]push.Reason{
	"DeviceNotRegistered":  push.Unregistered,
	"MessageTooBig":        push.TooLarge,
	"MessageRateExceeded":  push.RateLimited,
	"MismatchSenderId":     push.WrongSender,
	"InvalidCredentials":   push.Credentials,
	"InvalidProviderToken": push.Credentials,
	"ExpoError":            push.Unavailable,
	"ProviderError":        push.Unavailable,
}

func (t ticket) result() push.Result {
	if t.Status == "ok" {
		return push.Result{ID: t.ID}
	}
	reason, known := reasons[t.Details.Error]
	if !known {
		reason = push.Rejected
	}
	detail := t.Message
	if t.Details.Error != "" {
		detail = t.Details.Error + ": " + detail
	}
	return push.Result{Reason: reason, Detail: hideTokens(detail)}
}

var tokenIn = regexp.MustCompile(`Expo(?:nent)?PushToken\[[^\]]*\]`)

// hideTokens takes the tokens out of Expo's sentences, which quote them.
func hideTokens(text string) string {
	return push.Cut(tokenIn.ReplaceAllString(text, "the token"), 300)
}

// Send implements push.Provider.
func (p *Provider) Send(ctx context.Context, batch []push.Message) ([]push.Result, error) {
	messages := make([]message, len(batch))
	for i, m := range batch {
		messages[i] = message{To: m.Token, Title: m.Title, Body: m.Body, Data: m.Data}
	}
	var tickets []ticket
	if err := p.post(ctx, "send", messages, &tickets); err != nil {
		return nil, err
	}
	results := make([]push.Result, len(tickets))
	for i, t := range tickets {
		results[i] = t.result()
	}
	return results, nil
}

// ReceiptBatch implements push.ReceiptReader.
func (*Provider) ReceiptBatch() int { return receiptBatch }

// Receipts implements push.ReceiptReader.
func (p *Provider) Receipts(ctx context.Context, ids []string) (map[string]push.Result, error) {
	var tickets map[string]ticket
	if err := p.post(ctx, "getReceipts", map[string][]string{"ids": ids}, &tickets); err != nil {
		return nil, err
	}
	results := make(map[string]push.Result, len(tickets))
	for id, t := range tickets {
		results[id] = t.result()
	}
	return results, nil
}

// reply is every answer of Expo.
type reply struct {
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
}

// post makes one request and decodes the data of its answer.
func (p *Provider) post(ctx context.Context, what string, body, data any) error {
	request, err := p.request(ctx, p.base+what, body)
	if err != nil {
		return &push.Failure{Reason: push.Rejected, Detail: "the request cannot be written", Err: err}
	}
	answer, err := push.Exchange(p.client, request)
	if err != nil {
		return err
	}
	var r reply
	if err := json.Unmarshal(answer.Body, &r); err != nil {
		return answer.Failed("")
	}
	if answer.Status >= 300 || len(r.Errors) > 0 {
		return failed(answer, r)
	}
	if len(r.Data) == 0 || json.Unmarshal(r.Data, data) != nil {
		return answer.Failed("the answer has not the form that Expo documents")
	}
	return nil
}

// failed reads the errors of a whole request.
func failed(answer *push.Answer, r reply) *push.Failure {
	detail, code := "", ""
	if len(r.Errors) > 0 {
		code = r.Errors[0].Code
		detail = hideTokens(code + ": " + r.Errors[0].Message)
	}
	failure := answer.Failed(detail)
	switch code {
	case "TOO_MANY_REQUESTS":
		failure.Reason = push.RateLimited
	case "PUSH_TOO_MANY_EXPERIENCE_IDS": // tokens of several projects; halving finds the foreign ones
		failure.Reason = push.WrongSender
	case "UNAUTHORIZED":
		failure.Reason = push.Credentials
	}
	return failure
}

// request writes the body, compressed when that pays.
func (p *Provider) request(ctx context.Context, url string, body any) (*http.Request, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	packed := len(text) > gzipOver
	if packed {
		if text, err = pack(text); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if packed {
		request.Header.Set("Content-Encoding", "gzip")
	}
	if secret := p.env.AccessToken.Reveal(); secret != "" {
		request.Header.Set("Authorization", "Bearer "+secret)
	}
	return request, nil
}

func pack(text []byte) ([]byte, error) {
	var out bytes.Buffer
	writer, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(text); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
