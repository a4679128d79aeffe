package pushtest

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync"
	"testing"
)

// ExpoServer is a stand-in for Expo's push service.
type ExpoServer struct {
	server
	// AccessToken, when set, is asked for.
	AccessToken string

	mu       sync.Mutex
	tickets  map[string]string // token by ticket
	receipts map[string]string // error code by token; "" = delivered
	pending  bool
	requests int
	packed   int
}

// NewExpo serves a stand-in until the test ends.
func NewExpo(t testing.TB) *ExpoServer {
	s := &ExpoServer{tickets: map[string]string{}, receipts: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /--/api/v2/push/send", s.send)
	mux.HandleFunc("POST /--/api/v2/push/getReceipts", s.getReceipts)
	s.start(t, mux)
	return s
}

// Receipt sets what the receipt of a token's messages will say: an error
// code, or "" for delivered.
func (s *ExpoServer) Receipt(token, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receipts[token] = code
}

// Pending makes the service have no receipts yet.
func (s *ExpoServer) Pending(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = yes
}

// Requests returns how many requests came, and how many of them with gzip.
func (s *ExpoServer) Requests() (all, packed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.packed
}

type expoMessage struct {
	To    string            `json:"to"`
	Title string            `json:"title"`
	Body  string            `json:"body"`
	Data  map[string]string `json:"data"`
}

var expoToken = regexp.MustCompile(`^(?:Exponent|Expo)PushToken\[[^\]]+\]$`)

func (s *ExpoServer) send(w http.ResponseWriter, r *http.Request) {
	var messages []expoMessage
	if !s.read(w, r, &messages) {
		return
	}
	fault, spoilt := s.next()
	if spoilt && !fault.Deliver {
		s.apply(fault, w, r)
		return
	}
	if len(messages) > 100 {
		expoError(w, http.StatusBadRequest, "PUSH_TOO_MANY_NOTIFICATIONS", "at most 100 messages")
		return
	}
	projects := map[bool]bool{}
	for _, m := range messages {
		projects[s.codeOf(m.To) == "OtherProject"] = true
	}
	if len(projects) > 1 {
		expoError(w, http.StatusBadRequest, "PUSH_TOO_MANY_EXPERIENCE_IDS", "all messages must be of one project")
		return
	}
	tickets := make([]map[string]any, len(messages))
	for i, m := range messages {
		tickets[i] = s.ticket(m)
	}
	if spoilt {
		s.apply(fault, w, r)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": tickets})
}

// ticket accepts or refuses one message.
func (s *ExpoServer) ticket(m expoMessage) map[string]any {
	code := s.codeOf(m.To)
	switch {
	case code == "OtherProject":
		code = "MismatchSenderId"
	case code == "" && !expoToken.MatchString(m.To):
		return map[string]any{"status": "error", "message": fmt.Sprintf("%q is not a valid Expo push token", m.To)}
	}
	if code != "" {
		return map[string]any{
			"status": "error", "message": fmt.Sprintf("%q cannot be reached", m.To), "details": map[string]any{"error": code},
		}
	}
	s.accept(m.To, Delivered{Title: m.Title, Body: m.Body, Data: m.Data})
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("ticket-%d", len(s.tickets)+1)
	s.tickets[id] = m.To
	return map[string]any{"status": "ok", "id": id}
}

func (s *ExpoServer) getReceipts(w http.ResponseWriter, r *http.Request) {
	var body struct {
		IDs []string `json:"ids"`
	}
	if !s.read(w, r, &body) {
		return
	}
	if fault, spoilt := s.next(); spoilt {
		s.apply(fault, w, r)
		return
	}
	if len(body.IDs) > 300 {
		expoError(w, http.StatusBadRequest, "PUSH_TOO_MANY_RECEIPTS", "at most 300 ids")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	receipts := map[string]any{}
	for _, id := range body.IDs {
		token, known := s.tickets[id]
		switch code := s.receipts[token]; {
		case !known || s.pending:
		case code == "":
			receipts[id] = map[string]any{"status": "ok"}
		default:
			receipts[id] = map[string]any{"status": "error", "message": token + " failed", "details": map[string]any{"error": code}}
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": receipts})
}

// read checks the headers and decodes the body; it answers what is wrong.
func (s *ExpoServer) read(w http.ResponseWriter, r *http.Request, body any) bool {
	if s.AccessToken != "" && r.Header.Get("Authorization") != "Bearer "+s.AccessToken {
		expoError(w, http.StatusUnauthorized, "UNAUTHORIZED", "the bearer token is invalid")
		return false
	}
	if r.Header.Get("Content-Type") != "application/json" {
		expoError(w, http.StatusUnsupportedMediaType, "VALIDATION_ERROR", "send JSON")
		return false
	}
	var in io.Reader = r.Body
	packed := r.Header.Get("Content-Encoding") == "gzip"
	if packed {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			expoError(w, http.StatusBadRequest, "VALIDATION_ERROR", "this is not gzip")
			return false
		}
		in = unpacked
	}
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(body); err != nil {
		expoError(w, http.StatusBadRequest, "VALIDATION_ERROR", err.Error())
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if packed {
		s.packed++
	}
	return true
}

func expoError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
