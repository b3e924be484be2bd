/**
 * Who may import whom (docs/architecture.md), held over the emitted JavaScript: `npm run lint`. Each rule is proved by a planted
 * violation in test/workspace/dependency-rules.test.ts. Imports of types are not in what is emitted; biome.json holds those.
 */
const { existsSync, readdirSync, readFileSync } = require('node:fs');

const publicCore = '^core/dist/(index|di|errors|exporter-support/index|posix/index)\\.js$';

const room = (name) => `^core/dist/${name}/`;

const packages = new Map();
for (const folder of JSON.parse(readFileSync('package.json', 'utf8')).workspaces.flatMap(expanded)) {
  if (existsSync(`${folder}/package.json`)) packages.set(folder, JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')));
}

/** Any package of the workspace. */
const anyPackage = `(?:${[...packages.keys()].join('|')})/`;

function expanded(pattern) {
  return pattern.endsWith('/*') ? readdirSync(pattern.slice(0, -2)).map((name) => pattern.replace('*', name)) : [pattern];
}

/** The cruiser does not see whether a package of the workspace is declared, since a link in node_modules makes each reachable. */
function declaredInWorkspace([folder, { dependencies, peerDependencies }]) {
  const declared = new Set(Object.keys({ ...dependencies, ...peerDependencies }));
  const reachable = [...packages].filter(([other, { name }]) => other === folder || declared.has(name)).map(([other]) => `^${other}/`);
  return {
    name: 'declared-in-workspace',
    comment: `${folder}/package.json does not name the package.`,
    severity: 'error',
    from: { path: `^${folder}/dist/` },
    to: { path: `^${anyPackage}`, pathNot: reachable },
  };
}

module.exports = {
  forbidden: [
    ...[...packages].map(declaredInWorkspace),
    {
      name: 'no-cycle',
      comment: 'Two files that need each other are one file, or need a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'The import leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-dependencies',
      comment: 'A package imports only what its own package.json names: what the workspace happens to hold is not there at run time.',
      severity: 'error',
      from: { path: `^${anyPackage}dist/` },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'] },
    },
    {
      name: 'packages-by-name',
      comment: 'One package reaches another by its name, never by a path.',
      severity: 'error',
      from: { path: `^(${anyPackage})` },
      to: { dependencyTypes: ['local'], pathNot: ['^$1', '(^|/)node_modules/'] },
    },
    {
      name: 'core-imports-no-plugin',
      comment: 'Requests go down and answers come up: the core knows contracts alone.',
      severity: 'error',
      from: { path: '^core/dist/' },
      to: { path: ['^(plugins|conformance|demo|server|cli|bench|lab|test)/', '/node_modules/@vbs/(?!schemas)'] },
    },
    {
      name: 'schemas-import-nothing-of-ours',
      severity: 'error',
      from: { path: '^schemas/dist/' },
      to: { path: '^(core|conformance|plugins|demo|server|cli|bench|lab|test)/' },
    },
    {
      name: 'conformance-imports-core-alone',
      comment: 'The kit proves any plugin, and so knows none.',
      severity: 'error',
      from: { path: '^conformance/dist/' },
      to: { path: '^(plugins|demo|server|cli|bench|lab|test)/' },
    },
    {
      name: 'server-imports-core-alone',
      comment: 'A face parses, calls the core and formats. Plugins come to it by the configuration.',
      severity: 'error',
      from: { path: '^server/' },
      to: { path: '^(plugins|conformance|demo|cli|bench|lab|test)/' },
    },
    {
      name: 'cli-imports-core-server-and-demo',
      comment: 'The command line starts the server and the demonstration; plugins come to it by the configuration, by their names.',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^(plugins|conformance|bench|lab|test)/' },
    },
    {
      name: 'nobody-imports-cli-or-bench',
      comment: 'They are the ends: programs that nothing builds upon.',
      severity: 'error',
      from: { path: '^(?!test/)([^/]+)/' },
      to: { path: '^(cli|bench)/', pathNot: '^$1/' },
    },
    {
      name: 'lab-is-for-tests-and-measurements',
      comment: 'The lab starts machines for them; what is shipped has none.',
      severity: 'error',
      from: { pathNot: '^(test|bench|lab)/' },
      to: { path: '^lab/' },
    },
    {
      name: 'lab-imports-core-alone',
      comment: 'It makes guests and commands in them; what is tried there, the tests bring.',
      severity: 'error',
      from: { path: '^lab/' },
      to: { path: '^(plugins|conformance|demo|server|cli|bench|schemas|test)/' },
    },
    {
      name: 'core-by-its-exports',
      comment: 'Outside the core, only tests import @vbs/core/internal/*.',
      severity: 'error',
      from: { path: '^(conformance|demo|server|cli|bench|lab|plugins/[^/]+)/' },
      to: { path: '^core/', pathNot: publicCore },
    },
    {
      name: 'plugin-imports-core-and-clients',
      comment: "A plugin imports the core and, when its package.json declares it, another plugin's ./client.",
      severity: 'error',
      from: { path: '^plugins/([^/]+)/' },
      to: {
        path: '^(plugins|conformance|demo|server|cli|bench|lab|schemas|test)/',
        pathNot: ['^plugins/$1/', '^plugins/[^/]+/dist/client(/index)?\\.js$'],
      },
    },
    {
      name: 'one-file-imports-tsyringe',
      comment: 'Everything else uses the typed tokens of core/src/di.ts.',
      severity: 'error',
      from: { pathNot: '^core/dist/di(\\.js|/)' },
      to: { path: '(^|/)node_modules/(tsyringe|reflect-metadata)/' },
    },
    {
      name: 'contract-stands-alone',
      comment: 'The contracts are the ground: they import nothing of other rooms but errors.',
      severity: 'error',
      from: { path: room('contract') },
      to: { path: '^core/dist/', pathNot: [room('contract'), '^core/dist/errors\\.js$'] },
    },
    {
      name: 'rooms-below-the-workflow',
      severity: 'error',
      from: { path: room('(machine|command|metadata|model|posix|plugin|exporter-support|config|delegate)') },
      to: { path: [room('operations'), room('workflow')] },
    },
    {
      name: 'workflow-below-operations',
      severity: 'error',
      from: { path: room('workflow') },
      to: { path: room('operations') },
    },
    {
      name: 'no-import-of-tests',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: '(^|/)node_modules/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'], mainFields: ['main'] },
  },
};
