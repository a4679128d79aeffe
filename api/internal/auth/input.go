package auth

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
)

// registrationBody is the body of POST /register. The mobile app sends name
// and phone, others fullName and phoneNumber.
type registrationBody struct {
	Name        *string `json:"name"`
	FullName    *string `json:"fullName"`
	Email       *string `json:"email"`
	Phone       *string `json:"phone"`
	PhoneNumber *string `json:"phoneNumber"`
	Password    *string `json:"password"`
	// BootstrapSecret makes the first administrator where one is set.
	BootstrapSecret *string `json:"bootstrapSecret"`
}

// registration is a registrationBody that has been checked.
type registration struct{ Name, Email, Phone, Password, BootstrapSecret string }

type loginBody struct {
	Email    *string `json:"email"`
	Password *string `json:"password"`
}

// googleBody carries an OAuth access token of Google.
type googleBody struct {
	Token *string `json:"token"`
}

// logoutBody says whether all sessions end; by default that of the caller does.
type logoutBody struct {
	Everywhere choice `json:"everywhere"`
}

// choice is a boolean that a form can send as well.
type choice bool

// UnmarshalJSON implements json.Unmarshaler. null is false.
func (c *choice) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "true", `"true"`:
		*c = true
	case "false", `"false"`, "null":
		*c = false
	default:
		return errs.Invalid("everywhere", "%q must be true or false", "everywhere")
	}
	return nil
}

type refreshBody struct {
	RefreshToken json.RawMessage `json:"refreshToken"`
}

// check applies the rules of the Node backend, in its words, and refuses what
// consists of blanks. Of two names for
// one thing, the one that it stored counts first.
func (b registrationBody) check() (registration, error) {
	var v validator
	name := either(field{"name", b.Name}, field{"fullName", b.FullName})
	phone := either(field{"phone", b.Phone}, field{"phoneNumber", b.PhoneNumber})
	v.email(field{"email", b.Email})
	v.length(field{"password", b.Password}, 6, 128)
	v.length(name, 2, 100)
	v.phone(phone)
	if len(v.found) > 0 {
		return registration{}, v.found
	}
	return registration{Name: name.text(), Email: *b.Email, Phone: phone.text(), Password: *b.Password, BootstrapSecret: field{"bootstrapSecret", b.BootstrapSecret}.text()}, nil
}

func (b loginBody) check() (email, password string, err error) {
	var v validator
	v.email(field{"email", b.Email})
	v.required(field{"password", b.Password})
	if len(v.found) > 0 {
		return "", "", v.found
	}
	return *b.Email, *b.Password, nil
}

// token returns the refresh token; text that is no token is refused later.
func (b refreshBody) token() (string, error) {
	var token string
	switch string(b.RefreshToken) {
	case "", "null", `""`, "false", "0":
		return "", errNoRefresh
	}
	if json.Unmarshal(b.RefreshToken, &token) != nil {
		return "", errBadRefresh
	}
	return token, nil
}

// field is a text of a body with its name; value nil = absent or null.
type field struct {
	name  string
	value *string
}

func (f field) text() string {
	if f.value == nil {
		return ""
	}
	return *f.value
}

// either returns the first of two fields that has a text, else the second.
func either(a, b field) field {
	if a.text() != "" {
		return a
	}
	return b
}

// validator collects everything that is wrong with a body.
type validator struct{ found web.Violations }

func (v *validator) report(f field, format string, args ...any) {
	message := fmt.Sprintf("%q ", f.name) + fmt.Sprintf(format, args...)
	v.found = append(v.found, web.Violation{Field: f.name, Message: message})
}

func (v *validator) required(f field) bool {
	switch {
	case f.value == nil:
		v.report(f, "is required")
	case *f.value == "":
		v.report(f, "is not allowed to be empty")
	default:
		return true
	}
	return false
}

func (v *validator) length(f field, least, most int) {
	if !v.required(f) {
		return
	}
	switch n := utf8.RuneCountInString(*f.value); {
	case strings.TrimSpace(*f.value) == "":
		v.report(f, "is not allowed to be blank")
	case n < least:
		v.report(f, "length must be at least %d characters long", least)
	case n > most:
		v.report(f, "length must be less than or equal to %d characters long", most)
	}
}

func (v *validator) email(f field) {
	if v.required(f) && !validEmail(*f.value) {
		v.report(f, "must be a valid email")
	}
}

// phoneSigns is the rule of the Node backend.
var phoneSigns = regexp.MustCompile(`^[0-9+\-\s()]+$`)

// maxPhoneBytes is twice what the longest number takes with signs between.
const maxPhoneBytes = 32

// phone checks a number, if there is one: the mobile app sends "" for none.
func (v *validator) phone(f field) {
	switch number := f.text(); {
	case number == "":
	case len(number) > maxPhoneBytes:
		v.report(f, "length must be less than or equal to %d characters long", maxPhoneBytes)
	case !phoneSigns.MatchString(number), !strings.ContainsAny(number, "0123456789"):
		v.report(f, "may hold digits, spaces and + - ( ) only")
	}
}

// The parts of an address that mail servers accept: RFC 5321 without quoted
// local parts and address literals.
var (
	localPart   = regexp.MustCompile("^[\\p{L}\\p{N}!#$%&'*+/=?^_`{|}~-]+(\\.[\\p{L}\\p{N}!#$%&'*+/=?^_`{|}~-]+)*$")
	domainLabel = regexp.MustCompile(`^[\p{L}\p{N}]([\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?$`)
	topLevel    = regexp.MustCompile(`^(\p{L}{2,63}|xn--[a-zA-Z0-9-]{2,59})$`)
)

// validEmail checks the form of an address: a local part, and a domain of two
// labels or more whose last one can be a top-level domain. Which of those exist
// changes too often to be checked.
func validEmail(address string) bool {
	if len(address) > 254 { // before it is taken apart
		return false
	}
	local, domain, found := strings.Cut(address, "@")
	labels := strings.Split(domain, ".")
	if !found || len(local) > 64 || len(labels) < 2 || !localPart.MatchString(local) {
		return false
	}
	for _, label := range labels {
		if !domainLabel.MatchString(label) {
			return false
		}
	}
	return topLevel.MatchString(labels[len(labels)-1])
}
