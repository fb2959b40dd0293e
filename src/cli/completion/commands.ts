import { type Command, JSON_OPTION } from "../command.ts";

export type CompletionCommandName = "completion" | "complete";

export const SHELLS = ["bash", "zsh", "fish"] as const;

export const COMPLETION_COMMANDS: Readonly<Record<CompletionCommandName, Command>> = {
  completion: {
    operand: "SHELL",
    summary: "Print the script that completes command lines in bash, zsh or fish.",
    details:
      "It completes commands, options and their values, files, and the names of albums and images. Names come from the store that " +
      "the command line would use. If it does not respond within a second, no names are completed.",
    json: "the shell and the script",
    exits: {},
    options: { json: JSON_OPTION },
    flags: [],
    examples: [
      ["image-store completion bash >> ~/.bashrc", "Complete in every new bash. For zsh, use zsh and ~/.zshrc."],
      ["image-store completion fish > ~/.config/fish/completions/image-store.fish", "Complete in every fish."],
    ],
  },
  complete: {
    operand: "WORD…",
    operands: Number.POSITIVE_INFINITY,
    summary: "Print what a command line may go on with. The scripts of completion use it.",
    details:
      "The last WORD is the one at the cursor, and may be empty. The first line of the output says what else the shell should offer, and how: " +
      "files, folders, names, nospace. Each other line is a candidate, and behind a tab what it is.",
    json: "a candidate, with what it is",
    exits: {},
    options: { json: JSON_OPTION },
    flags: [],
    examples: [
      ["image-store complete -- put lake.jpg Su", "Print the albums whose names begin with Su."],
      ["image-store complete --json -- quota ''", "Print the commands of quota as JSON."],
    ],
  },
};
