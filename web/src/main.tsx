import '@fontsource-variable/inter/wght.css';
import './ui/styles.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { askAhead } from './ahead';
import { App } from './app';
import { startLanguage } from './i18n';

const root = document.getElementById('root');
if (root) {
  askAhead();
  // A language that cannot be loaded leaves the page in English.
  void startLanguage()
    .catch(() => undefined)
    .then(() =>
      createRoot(root).render(
        <StrictMode>
          <App />
        </StrictMode>,
      ),
    );
}
