export interface RequiredCommand {
  readonly command: string;
  readonly package: string;
}

export type PackagePlan =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'install'; readonly packages: readonly string[] }
  | { readonly kind: 'refuse'; readonly packages: readonly string[]; readonly message: string };

export const REQUIRED_COMMANDS: readonly RequiredCommand[];

export function planPackages(machine: {
  readonly missingCommands: readonly string[];
  readonly hasAptGet: boolean;
  readonly mayInstall: boolean;
}): PackagePlan;
