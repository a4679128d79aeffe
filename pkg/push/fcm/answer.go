package fcm

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/etrainer/backend/pkg/push"
)

// reply is every answer of Firebase: the name of the message, or an error.
type reply struct {
	Name  string `json:"name"`
	Error *struct {
		Message string   `json:"message"`
		Status  string   `json:"status"`
		Details []detail `json:"details"`
	} `json:"error"`
}

type detail struct {
	Type            string `json:"@type"`
	ErrorCode       string `json:"errorCode"` // of google.firebase.fcm.v1.FcmError
	FieldViolations []struct {
		Field string `json:"field"`
	} `json:"fieldViolations"` // of google.rpc.BadRequest
}

// code is Firebase's own word for the error, else the general one.
func (r reply) code() string {
	for _, d := range r.Error.Details {
		if d.ErrorCode != "" {
			return d.ErrorCode
		}
	}
	return r.Error.Status
}

// blamesToken reports whether an INVALID_ARGUMENT is about the token.
func (r reply) blamesToken() bool {
	for _, d := range r.Error.Details {
		for _, violation := range d.FieldViolations {
			if violation.Field == "message.token" {
				return true
			}
		}
	}
	return strings.Contains(r.Error.Message, "registration token")
}

// read tells what an answer means: of this message, or of every message.
func read(answer *push.Answer, token string) (push.Result, error) {
	var r reply
	if json.Unmarshal(answer.Body, &r) != nil || r.Error == nil && r.Name == "" {
		return push.Result{}, answer.Failed("")
	}
	if r.Error == nil {
		return push.Result{ID: r.Name}, nil
	}
	code := r.code()
	detail := push.Cut(strings.ReplaceAll(code+": "+r.Error.Message, token, "the token"), 300)
	switch code {
	case "UNREGISTERED":
		return push.Result{Reason: push.Unregistered, Detail: detail}, nil
	case "SENDER_ID_MISMATCH":
		return push.Result{Reason: push.WrongSender, Detail: detail}, nil
	case "THIRD_PARTY_AUTH_ERROR": // Apple's key, so other devices may do well
		return push.Result{Reason: push.Credentials, Detail: detail}, nil
	case "INVALID_ARGUMENT":
		return push.Result{Reason: blame(r), Detail: detail}, nil
	}
	if answer.Status == http.StatusNotFound { // the project, and not the device
		return push.Result{}, &push.Failure{Reason: push.Credentials, Detail: detail}
	}
	return push.Result{}, answer.Failed(detail)
}

func blame(r reply) push.Reason {
	if r.blamesToken() {
		return push.InvalidToken
	}
	if strings.Contains(r.Error.Message, "too big") {
		return push.TooLarge
	}
	return push.Rejected
}

// isStale reports whether a 401 is about our token, and not about the keys
// that Firebase itself holds.
func isStale(answer *push.Answer) bool {
	var r reply
	return json.Unmarshal(answer.Body, &r) != nil || r.Error == nil || r.code() != "THIRD_PARTY_AUTH_ERROR"
}
