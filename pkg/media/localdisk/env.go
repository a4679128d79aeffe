package localdisk

// Env is how a program is told of the folder; embed it in a config struct.
type Env struct {
	Dir string `env:"MEDIA_DIR" envDefault:"media" help:"folder of uploaded files on the local disk" example:"/var/lib/etrainer/media"`
}
