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
// The tag env names the variable, and "required" after a comma is its only
// option; envDefault is text, as in the environment; envAlias lists old names,
// with commas between. A struct field is walked into, and its envPrefix begins
// the names in it. A field is text, a number, a truth value, a duration, any type
// with UnmarshalText or a list of these, which is text with commas between; a map
// is none. The error of UnmarshalText should be a clause that says what is wrong
// with the text, such as "has no unit".
//
// The tags unit, example and production are for the template of a file that
// sets everything; see [Template].
//
// Values come from the environment, else from an optional file, else from the
// default. An empty variable counts as not set. White space around a value is
// dropped, except of a Secret.
//
// The file is YAML, TOML or JSON if its name ends so (.yaml, .yml, .toml, .json),
// else dotenv. In each of them the names are those of the environment, in capital
// letters and beside each other. What stands there without quotes is what the
// format makes of it: a number, true, a date. It serves for a number and the
// like, and is refused for text: 0123 without quotes is 83, and a bad password.
// A list may be a list of the format.
//
// A name that no program knows has no effect, and gives a warning that tells the
// nearest one: in the file always, in the environment where it begins like ours.
package config
