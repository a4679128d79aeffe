package schedulecmd

import (
	"strings"

	"github.com/spf13/cobra"
)

// takesMinus lets the arguments of a command begin with a minus sign and a
// digit, which no flag does: "-5 * * * *" and "-2 minutes" are answered as the
// schedules that they are, and not as flags.
func takesMinus(cmd *cobra.Command) *cobra.Command {
	check, run := cmd.Args, cmd.RunE
	cmd.DisableFlagParsing, cmd.Args = true, cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		if err := cmd.Flags().Parse(flagsFirst(cmd, given)); err != nil {
			return err
		}
		if help, err := cmd.Flags().GetBool("help"); err == nil && help {
			return cmd.Help()
		}
		args := cmd.Flags().Args()
		if err := check(cmd, args); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// flagsFirst puts the flags in front and all other arguments behind "--".
func flagsFirst(cmd *cobra.Command, given []string) []string {
	var flags, others []string
	for i := 0; i < len(given); i++ {
		arg := given[i]
		switch {
		case arg == "--":
			others = append(others, given[i+1:]...)
			i = len(given)
		case !isFlag(arg):
			others = append(others, arg)
		default:
			flags = append(flags, arg)
			if wantsValue(cmd, arg) && i+1 < len(given) {
				i++
				flags = append(flags, given[i])
			}
		}
	}
	return append(append(flags, "--"), others...)
}

func isFlag(arg string) bool {
	rest, dash := strings.CutPrefix(arg, "-")
	return dash && rest != "" && (rest[0] < '0' || rest[0] > '9') && rest[0] != '.'
}

// wantsValue reports whether the value of a flag is the next argument.
func wantsValue(cmd *cobra.Command, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	flag := cmd.Flags().Lookup(name)
	return flag != nil && flag.NoOptDefVal == "" && !strings.Contains(arg, "=")
}
