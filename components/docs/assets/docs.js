// Swagger UI on the document of the API that serves this page.

/* global SwaggerUIBundle */

SwaggerUIBundle({
  url: '/api/openapi.json',
  domNode: document.getElementById('reference'),
  deepLinking: true,
  displayRequestDuration: true,
  // Models are long, and each operation shows its own.
  defaultModelsExpandDepth: 0,
  // Coloured examples are below the contrast that WCAG asks for.
  syntaxHighlight: false,
  // Nothing is asked of another origin: no badge of a validator, and no configuration from the address of this page.
  validatorUrl: null,
  queryConfigEnabled: false,
  // The token stays in memory.
  persistAuthorization: false,
  // What is above the operations is in no landmark by itself.
  onComplete: () => {
    document.querySelector('.information-container')?.setAttribute('role', 'banner');
    const server = document.querySelector('.scheme-container');
    server?.setAttribute('role', 'region');
    server?.setAttribute('aria-label', 'Server and token');
  },
});

const darkness = window.matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', darkness.matches);
darkness.addEventListener('change', follow);
follow();
