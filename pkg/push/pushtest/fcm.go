package pushtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// The service account that the stand-in knows.
const (
	ProjectID   = "etrainer-test"
	ClientEmail = "push@etrainer-test.example"
	KeyID       = "key-1"
)

var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// PrivateKey returns the key of the service account, as PEM.
func PrivateKey() string {
	der, err := x509.MarshalPKCS8PrivateKey(key())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// FCMServer is a stand-in for Firebase Cloud Messaging and for Google's token
// server.
type FCMServer struct {
	server
	// TokenFaults spoil requests for OAuth2 tokens.
	TokenFaults faults

	mu     sync.Mutex
	valid  map[string]bool // OAuth2 tokens
	grants int
	http1  int
}

// NewFCM serves a stand-in until the test ends.
func NewFCM(t testing.TB) *FCMServer {
	s := &FCMServer{valid: map[string]bool{}}
	s.TokenFaults.done = make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /v1/projects/{call}/messages:send", s.send)
	s.start(t, mux)
	return s
}

// TokenURL returns where tokens are given out.
func (s *FCMServer) TokenURL() string { return s.URL() + "/token" }

// Revoke makes the tokens given out so far invalid.
func (s *FCMServer) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.valid)
}

// Grants returns how many tokens were given out.
func (s *FCMServer) Grants() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants
}

// HTTP1 returns how many requests came over HTTP/1.
func (s *FCMServer) HTTP1() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.http1
}

func (s *FCMServer) token(w http.ResponseWriter, r *http.Request) {
	if fault, spoilt := s.TokenFaults.next(); spoilt {
		s.TokenFaults.apply(fault, w, r)
		return
	}
	if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	if err := s.checkAssertion(r.FormValue("assertion")); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": err.Error()})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants++
	token := fmt.Sprintf("ya29.%d", s.grants)
	s.valid[token] = true
	writeJSON(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
}

// checkAssertion verifies the signature and the claims.
func (s *FCMServer) checkAssertion(assertion string) error {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return errors.New("the assertion is no JWT")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&key().PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return errors.New("invalid JWT signature")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var claims struct {
		Iss, Scope, Aud string
		Exp             int64
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return err
	}
	switch {
	case claims.Iss != ClientEmail:
		return errors.New("the account is not found")
	case claims.Scope != "https://www.googleapis.com/auth/firebase.messaging":
		return errors.New("the scope is wrong")
	case claims.Aud != s.TokenURL():
		return errors.New("the audience is wrong")
	case time.Unix(claims.Exp, 0).Before(time.Now()):
		return errors.New("the assertion has expired")
	}
	return nil
}

// fcmBody is the body that the contract asks for; anything else is refused.
type fcmBody struct {
	Message struct {
		Token        string `json:"token"`
		Notification struct {
			Title string `json:"title"`
			Body  string `json:"body"`
		} `json:"notification"`
		Data    map[string]string `json:"data"`
		Android struct {
			Notification struct {
				Sound    string `json:"sound"`
				Priority string `json:"notification_priority"`
			} `json:"notification"`
		} `json:"android"`
		APNs struct {
			Payload struct {
				APS struct {
					Sound string `json:"sound"`
					Badge int    `json:"badge"`
				} `json:"aps"`
			} `json:"payload"`
		} `json:"apns"`
	} `json:"message"`
}

func (s *FCMServer) send(w http.ResponseWriter, r *http.Request) {
	if !s.admit(w, r) {
		return
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var body fcmBody
	if err := decoder.Decode(&body); err != nil {
		fcmError(w, http.StatusBadRequest, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "Invalid JSON payload: "+err.Error(), "message.data")
		return
	}
	m := body.Message
	if m.Android.Notification.Priority != "PRIORITY_HIGH" || m.Android.Notification.Sound != "default" || m.APNs.Payload.APS.Badge != 1 || m.APNs.Payload.APS.Sound != "default" {
		fcmError(w, http.StatusBadRequest, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "android and apns are missing", "message.android")
		return
	}
	fault, spoilt := s.next()
	if spoilt && !fault.Deliver {
		s.apply(fault, w, r)
		return
	}
	if code := s.codeOf(m.Token); code != "" {
		s.refuse(w, m.Token, code)
		return
	}
	s.accept(m.Token, Delivered{Title: m.Notification.Title, Body: m.Notification.Body, Data: m.Data})
	if spoilt {
		s.apply(fault, w, r)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"name": fmt.Sprintf("projects/%s/messages/%d", ProjectID, s.Total())})
}

// admit checks project and bearer.
func (s *FCMServer) admit(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.ProtoMajor < 2 {
		s.http1++
	}
	if r.PathValue("call") != ProjectID {
		fcmError(w, http.StatusNotFound, "NOT_FOUND", "", "Requested entity was not found.", "")
		return false
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !s.valid[bearer] {
		fcmError(w, http.StatusUnauthorized, "UNAUTHENTICATED", "", "Request had invalid authentication credentials.", "")
		return false
	}
	return true
}

// refuse answers a message with one of Firebase's error codes.
func (s *FCMServer) refuse(w http.ResponseWriter, token, code string) {
	switch code {
	case "UNREGISTERED":
		fcmError(w, http.StatusNotFound, "NOT_FOUND", code, "Requested entity was not found.", "")
	case "INVALID_ARGUMENT":
		fcmError(w, http.StatusBadRequest, code, code, "The registration token "+token+" is not a valid FCM registration token", "message.token")
	case "SENDER_ID_MISMATCH":
		fcmError(w, http.StatusForbidden, "PERMISSION_DENIED", code, "SenderId mismatch", "")
	case "THIRD_PARTY_AUTH_ERROR":
		fcmError(w, http.StatusUnauthorized, "UNAUTHENTICATED", code, "Auth error from APNS", "")
	case "QUOTA_EXCEEDED":
		fcmError(w, http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", code, "Quota exceeded", "")
	default:
		fcmError(w, http.StatusInternalServerError, "INTERNAL", code, "Internal error", "")
	}
}

func fcmError(w http.ResponseWriter, status int, general, code, message, field string) {
	var details []map[string]any
	if code != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
	}
	if field != "" {
		details = append(details, map[string]any{
			"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": []map[string]string{{"field": field}},
		})
	}
	writeJSON(w, status, map[string]any{"error": map[string]any{"code": status, "status": general, "message": message, "details": details}})
}
