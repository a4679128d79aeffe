// Package config fills the one configuration struct of a program from its
// environment, and reports everything that is wrong with it at once.
//
// A field names its variable, default and meaning in its tags:
//
//	Port     int           `env:"PORT" envDefault:"8080" help:"port of the public listener" unit:"port" example:"80"`
//	Secret   config.Secret `env:"JWT_SECRET_KEY,required" envAlias:"JWT_SECRET" help:"signs access tokens"`
//	Origins  []string      `env:"ALLOWED_ORIGINS" help:"comma-separated list"`
//	Grace    time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"30s"`
//
// The tags env, envDefault, envPrefix and envSeparator are those of
// github.com/caarlos0/env. A struct field is walked into. Any type with
// UnmarshalText can be a field; its error should be a clause that says what is
// wrong with the text, such as "has no unit".
//
// The tags unit, example and production are for the template of a file that
// sets everything; see [Template].
//
// Values come from the environment, else from an optional dotenv file, else
// from the default. An empty variable counts as not set. White space around a
// value is dropped, except of a Secret.
package config
