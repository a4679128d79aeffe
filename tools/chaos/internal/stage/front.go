package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
)

const (
	// requestTimeout is how long a client waits for an answer.
	requestTimeout = 8 * time.Second
	// askAgain is the pause before a client repeats a request.
	askAgain = 400 * time.Millisecond
	jobsPath = "/api/system/jobs/"
)

// front is the api as its clients see it.
type front struct {
	url, token string
	client     *http.Client
	log        *history.Log
}

func newHTTPClient() *http.Client {
	return &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
}

// logIn makes an account and keeps its token.
func (f *front) logIn(ctx context.Context) error {
	account := map[string]any{"name": "Admin", "email": "admin@example.com", "password": "correct horse"}
	if status, answer := f.post(ctx, "/api/auth/register", "", account); status != http.StatusCreated {
		return fmt.Errorf("register: %d %s", status, answer)
	}
	_, answer := f.post(ctx, "/api/auth/login", "", account)
	var login struct{ Token string }
	if err := json.Unmarshal(answer, &login); err != nil || login.Token == "" {
		return fmt.Errorf("log in: %s", answer)
	}
	f.token = login.Token
	return nil
}

// post returns status 0 when there was no answer.
func (f *front) post(ctx context.Context, path, key string, body any) (int, []byte) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // bodies of ours
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+path, bytes.NewReader(text))
	if err != nil {
		panic(err) // addresses of ours
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+f.token)
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	reply, err := f.client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer reply.Body.Close()
	answer, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, nil
	}
	return reply.StatusCode, answer
}

// order is a job that a client wants.
type order struct {
	name    string
	payload kinds.Payload
	when    string // "" = now
	unique  bool   // by the payload's key; else the key is the idempotency key
	event   history.Event
}

// enqueue repeats a request until it is acknowledged, as a client does, and
// writes that down. It returns the job's id, "" where there is none, and how
// often it asked.
func (f *front) enqueue(ctx context.Context, o order) (id string, asked int) {
	body := map[string]any{"name": o.name, "allowUnknown": true, "data": o.payload}
	key := o.payload.Key
	if o.unique {
		body["unique"], key = map[string]any{"by": []string{"key"}}, ""
	}
	if o.when != "" {
		body["when"] = o.when
	}
	line := history.Line{Event: o.event, Began: history.Now(), Name: o.name, Key: o.payload.Key}
	if line.Event == "" {
		line.Event = history.Ack
	}
	if o.when != "" {
		line.Note = history.Later
	}
	for asked = 1; ctx.Err() == nil; asked++ {
		status, answer := f.post(ctx, jobsPath+"schedule", key, body)
		var ack struct{ Job struct{ ID string } }
		switch {
		case status == http.StatusOK && json.Unmarshal(answer, &ack) == nil && ack.Job.ID != "":
			line.Job = ack.Job.ID
			f.log.Write(line)
			return line.Job, asked
		case status == 0, status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
			wait(ctx, askAgain)
		default:
			line.Event, line.Note = history.Refused, fmt.Sprintf("%d %s", status, answer)
			f.log.Write(line)
			return "", asked
		}
	}
	line.Event, line.Note = history.Unanswered, context.Cause(ctx).Error()
	f.log.Write(line)
	return "", asked
}

// cancel asks for a cancel once, and reports whether it was acknowledged. An
// answer that never came may have been a success.
func (f *front) cancel(ctx context.Context, id, name string) bool {
	line := history.Line{Event: history.Cancel, Began: history.Now(), Job: id, Name: name}
	switch status, _ := f.post(ctx, jobsPath+id+"/cancel", "", map[string]any{}); {
	case status == 0, status >= http.StatusInternalServerError:
		line.Note = history.Unknown
	case status != http.StatusOK:
		return false // it has finished, or does not run
	}
	f.log.Write(line)
	return line.Note == ""
}

// wait returns when the time has passed or ctx has ended.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
