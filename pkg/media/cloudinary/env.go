package cloudinary

import "github.com/etrainer/backend/pkg/config"

// Env is how a program is told of the account; embed it in a config struct.
type Env struct {
	CloudName string        `env:"CLOUDINARY_CLOUD_NAME" help:"Cloudinary account of uploads; default the local disk" example:"etrainer"`
	APIKey    string        `env:"CLOUDINARY_API_KEY" help:"key of that account" example:"123456789012345"`
	APISecret config.Secret `env:"CLOUDINARY_API_SECRET" help:"secret of that account" example:"what the console of Cloudinary shows"`
	Address   string        `env:"CLOUDINARY_UPLOAD_PREFIX" help:"where Cloudinary's api is; default https://api.cloudinary.com" example:"https://api-eu.cloudinary.com"`
}

// Configured reports whether there is an account.
func (e Env) Configured() bool { return e.CloudName != "" }

// Options are those of the account.
func (e Env) Options() Options {
	return Options{CloudName: e.CloudName, APIKey: e.APIKey, APISecret: e.APISecret.Reveal(), Address: e.Address}
}

// Validate reports what is wrong, as config.Problem.
func (e Env) Validate() error {
	set := e.Configured()
	if (e.APIKey != "") == set && (e.APISecret.Reveal() != "") == set {
		return nil
	}
	return config.Problem{
		Variable: "CLOUDINARY_CLOUD_NAME", Value: e.CloudName, Fault: "has no key and secret beside it, or they have no name",
		Mend: "set CLOUDINARY_CLOUD_NAME, CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET, or none of them",
	}
}
