/** One run of a stand-in tool, as its process would be given it. */
export interface ToolRun {
  /** Without the tool's own name. */
  readonly args: readonly string[];
  readonly input: string;
  /** The folder that stands for `/` on the machine. */
  readonly root: string;
}

export interface ToolResult {
  readonly exitCode?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** What stands in for a tool: as strict in syntax as the real one, with its texts and exit codes; what it changes, it keeps. */
export type Tool = (run: ToolRun) => ToolResult | Promise<ToolResult>;
export type Tools = Readonly<Record<string, Tool>>;

/** What stands in for a tool that stays in the foreground: its first lines, and how it is taken down. */
export interface Daemon {
  readonly lines: readonly string[];
  stop(): void | Promise<void>;
}
/** Throws a ToolResult when it ends at once. */
export type DaemonTool = (run: ToolRun & { readonly pid: number }) => Daemon | Promise<Daemon>;
