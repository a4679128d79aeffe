package fcm

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/url"
	"os"
	"strings"

	"github.com/etrainer/backend/pkg/config"
)

const (
	defaultBaseURL  = "https://fcm.googleapis.com"
	defaultTokenURL = "https://oauth2.googleapis.com/token" //nolint:gosec // an address, no token
	scope           = "https://www.googleapis.com/auth/firebase.messaging"
)

// Env is how a program is told of Firebase; embed it in a config struct.
type Env struct {
	ServiceAccountPath string        `env:"FIREBASE_SERVICE_ACCOUNT_PATH" help:"file of the service account for Firebase Cloud Messaging; comes before its parts below, and without either FCM tokens are counted as not_configured" example:"/etc/etrainer/firebase.json"`
	ProjectID          string        `env:"FIREBASE_PROJECT_ID" help:"project of Firebase" example:"etrainer-1a2b3"`
	PrivateKey         config.Secret `env:"FIREBASE_PRIVATE_KEY" help:"key of the service account, PEM; \\n stands for the end of a line" example:"'-----BEGIN PRIVATE KEY-----\\nMIIE...\\n-----END PRIVATE KEY-----\\n'"`
	PrivateKeyID       string        `env:"FIREBASE_PRIVATE_KEY_ID" help:"id of that key" example:"0123456789abcdef0123456789abcdef01234567"`
	ClientEmail        string        `env:"FIREBASE_CLIENT_EMAIL" help:"name of the service account" example:"push@etrainer-1a2b3.iam.gserviceaccount.com"`
	TokenURL           string        `env:"FIREBASE_TOKEN_URI" help:"where OAuth2 tokens are given out; default that of the file, else Google's" example:"https://oauth2.googleapis.com/token"`
	BaseURL            string        `env:"FCM_BASE_URL" envDefault:"https://fcm.googleapis.com" help:"where Firebase Cloud Messaging is" example:"https://fcm-proxy.example"`
	PerSecond          float64       `env:"FCM_RATE_LIMIT" envDefault:"10000" help:"push messages over all workers; Firebase allows 600,000 a minute for a project; 0 = no limit" unit:"messages a second" example:"1000"`
}

// Configured reports whether there is a service account.
func (e Env) Configured() bool {
	return e.ServiceAccountPath != "" || e.PrivateKey.Reveal() != ""
}

// Validate reports what is wrong, as config.Problem joined.
func (e Env) Validate() error {
	var errs []error
	for variable, address := range map[string]string{"FCM_BASE_URL": e.BaseURL, "FIREBASE_TOKEN_URI": e.TokenURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "") {
			errs = append(errs, config.Problem{Variable: variable, Value: address, Fault: "is not a web address", Mend: "write it as https://host"})
		}
	}
	if e.Configured() {
		_, err := e.Account()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Account is a service account.
type Account struct {
	ProjectID    string
	ClientEmail  string
	PrivateKeyID string
	PrivateKey   config.Secret // PEM
	TokenURL     string
}

// Account reads the service account. The error is a config.Problem and never
// holds the key.
func (e Env) Account() (Account, error) {
	account := Account{
		ProjectID: e.ProjectID, ClientEmail: e.ClientEmail, PrivateKeyID: e.PrivateKeyID, TokenURL: e.TokenURL,
		PrivateKey: config.Secret(strings.ReplaceAll(e.PrivateKey.Reveal(), `\n`, "\n")),
	}
	if e.ServiceAccountPath != "" {
		file, err := readFile(e.ServiceAccountPath)
		if err != nil {
			return Account{}, err
		}
		if e.TokenURL != "" {
			file.TokenURL = e.TokenURL
		}
		account = file
	}
	if account.TokenURL == "" {
		account.TokenURL = defaultTokenURL
	}
	return account, account.check(e.ServiceAccountPath)
}

func readFile(path string) (Account, error) {
	problem := func(fault string) error {
		return config.Problem{Variable: "FIREBASE_SERVICE_ACCOUNT_PATH", Value: path, Fault: fault, Mend: "name the JSON file of a service account that Firebase's console gave out"}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Account{}, problem("cannot be read")
	}
	var file struct {
		Type         string `json:"type"`
		ProjectID    string `json:"project_id"`
		PrivateKeyID string `json:"private_key_id"`
		PrivateKey   string `json:"private_key"`
		ClientEmail  string `json:"client_email"`
		TokenURI     string `json:"token_uri"`
	}
	if json.Unmarshal(text, &file) != nil || file.Type != "service_account" {
		return Account{}, problem("is not the file of a service account")
	}
	return Account{
		ProjectID: file.ProjectID, ClientEmail: file.ClientEmail, PrivateKeyID: file.PrivateKeyID,
		PrivateKey: config.Secret(file.PrivateKey), TokenURL: file.TokenURI,
	}, nil
}

// check reports the first part that is missing or unusable.
func (a Account) check(path string) error {
	for _, part := range []struct{ variable, field, value string }{
		{"FIREBASE_PROJECT_ID", "project_id", a.ProjectID},
		{"FIREBASE_CLIENT_EMAIL", "client_email", a.ClientEmail},
	} {
		switch {
		case part.value != "":
		case path != "":
			return config.Problem{Variable: "FIREBASE_SERVICE_ACCOUNT_PATH", Value: path, Fault: "names a file without " + part.field, Mend: "get the file anew from Firebase's console"}
		default:
			return config.Problem{Variable: part.variable, Fault: "is not set", Mend: "set it, since FIREBASE_PRIVATE_KEY is"}
		}
	}
	if !usable(a.PrivateKey.Reveal()) {
		variable := "FIREBASE_PRIVATE_KEY"
		if path != "" {
			variable = "FIREBASE_SERVICE_ACCOUNT_PATH"
		}
		return config.Problem{Variable: variable, Fault: "holds no private key in PEM form", Mend: `copy private_key of the service account's file, from -----BEGIN to END-----, with \n for the ends of lines`}
	}
	return nil
}

// usable reports whether text is an RSA key, as PKCS #8 or PKCS #1.
func usable(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return true
	}
	_, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	return err == nil
}
