package expo

import (
	"net/url"

	"github.com/etrainer/backend/pkg/config"
)

// Env is how a program is told of Expo; embed it in a config struct.
type Env struct {
	BaseURL     string        `env:"EXPO_BASE_URL" envDefault:"https://exp.host" help:"where Expo's push service is" example:"https://expo-proxy.example"`
	AccessToken config.Secret `env:"EXPO_ACCESS_TOKEN" help:"access token of the Expo account; only needed when the account asks for one" example:"what expo.dev shows under access tokens"`
	PerSecond   float64       `env:"EXPO_RATE_LIMIT" envDefault:"600" help:"push messages over all workers; Expo allows 600 for a project; 0 = no limit" unit:"messages a second" example:"300"`
}

// Validate reports what is wrong, as config.Problem.
func (e Env) Validate() error {
	if u, err := url.Parse(e.BaseURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return config.Problem{Variable: "EXPO_BASE_URL", Value: e.BaseURL, Fault: "is not a web address", Mend: "write it as https://exp.host"}
	}
	return nil
}
